// sim/time.h -- predicted spans of a program under a schedule on a cluster.
//
//     begin = max(end of operands, lane free, begin of the step prefetch waits for)   a collective: over its group
//     end   = begin + seconds
//
// Ranks that differ only along axes where all have the same work are simulated once; the others are joined at
// their collectives.
#pragma once

#include "sim/cost.h"
#include "sim/schedule.h"

namespace ithaca {

Timeline time(const Program&, const Schedule&, const CostModel&);

/// Of `layers` identical layers and one update.
struct StepTime {
  double layer_s = 0, update_s = 0;
  double step_s = 0;          ///< layers layer_s + update_s
  double compute_s = 0;       ///< of all layers
  double exposed_comm_s = 0;  ///< of all layers, and the update
};
StepTime step_time(const Layer&, std::int64_t layers, bool overlap, const CostModel&);

}  // namespace ithaca
