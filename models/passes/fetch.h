// models/passes/fetch.h -- inputs that wait in host memory.
#pragma once

#include "models/program.h"

#include <vector>

namespace ithaca {

/// Each of the values, inputs, lies in host memory; it comes to the device before its first use in the forward and
/// again before its first use after it.  Nothing else changes: the same results, the same bytes on the wire.
Program fetch(Program, const std::vector<ValueId>& inputs);

}  // namespace ithaca
