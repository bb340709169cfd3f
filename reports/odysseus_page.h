// reports/odysseus_page.h -- the Odysseus benchmark explained: who won at each length, who was predicted to, and why the
// published table, the benchmark and the textbook disagree.  Every figure is computed from the runs.
#pragma once

#include "reports/document.h"
#include "reports/odysseus_runs.h"

namespace ithaca {

/// Needs a run.
Document odysseus_document(const std::vector<OdysseusRun>&);

}  // namespace ithaca
