// models/passes/offload.h -- values that wait for the backward in host memory.
#pragma once

#include "models/program.h"

#include <vector>

namespace ithaca {

/// After its last use in the forward each of the values goes to the host, and comes back before its first use in the
/// recomputation or backward.  Values without a later use stay as they are.  Nothing else changes: the same results,
/// the same bytes on the wire.
Program offload(Program, const std::vector<ValueId>&);

}  // namespace ithaca
