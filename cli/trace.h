// cli/trace.h -- a timeline for chrome://tracing and ui.perfetto.dev.
#pragma once

#include "sim/timeline.h"

#include <string>

namespace ithaca {

/// Chrome trace events (JSON object format): pid is the rank, tid the lane, ts and dur in microseconds; counters say what
/// a rank holds, by role.  `args` of a step says whether it is on the critical path and what it lost beside transfers.
std::string chrome_trace(const Program&, const Timeline&);

}  // namespace ithaca
