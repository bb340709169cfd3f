// reports/odysseus_reasons.h -- why the measured order of the Odysseus benchmark is not that of its published table.
#pragma once

#include "reports/document.h"
#include "reports/odysseus_runs.h"

#include <vector>

namespace ithaca {

/// How much of the measured order bytes and times give, what the table leaves out, where its claims turn.
Section odysseus_reasons(const std::vector<OdysseusRun>&, const std::vector<OdysseusLength>&);
/// What no program of ours explains.
Section odysseus_residuals(const std::vector<OdysseusRun>&);

}  // namespace ithaca
