// reports/run_summary.h -- a few lines for a terminal: what runs moved and held beside what was
// predicted.
#pragma once

#include "reports/report_input.h"

#include <string>
#include <vector>

namespace ithaca {

/// One block of rows per run; empty for no run.
std::string run_summary(const std::vector<RunRecord>& runs);

}  // namespace ithaca
