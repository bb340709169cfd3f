// sim/time.h -- predicted spans of a program under a schedule on a cluster.
//
//     begin = max(end of operands, lane free, begin of the step prefetch waits for)   a collective: over its group
//     end   = begin + seconds
//
// A kernel beside transfers goes slower while they run (CostModel::leaves); a transfer keeps its speed.  Whatever
// runs, something runs at full speed, so overlapping is never slower than blocking.
//
// Ranks that differ only along axes where all have the same work are simulated once; the others are joined at
// their collectives.
#pragma once

#include "sim/cost.h"
#include "sim/schedule.h"

namespace ithaca {

Timeline time(const Program&, const Schedule&, const CostModel&);

}  // namespace ithaca
