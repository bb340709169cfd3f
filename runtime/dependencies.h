// runtime/dependencies.h -- which steps on other lanes a step must wait for.
//
// Lanes run at once, and values share one arena: a step waits for whoever wrote what it reads and
// for whoever read or wrote the memory it writes.  Steps on its own lane come before it anyway.
#pragma once

#include "sim/memory.h"

#include <cstdint>
#include <vector>

namespace ithaca {

/// By step, the last such step of each other lane.
std::vector<std::vector<std::uint32_t>> dependencies(const Program&, const MemoryPlan&);

}  // namespace ithaca
