// models/passes/bucket.h -- messages of one kind travel together.
#pragma once

#include "models/program.h"

#include <cstdint>

namespace ithaca {

/// Moves of one collective over one group, dtype and phase, of one layer, become one message of at most `elements`
/// elements (Traffic::elements, of the full tensors) and 24 tensors; a larger tensor travels alone.  They wait for the
/// last of them, and what is done to a weight's gradient after its move waits too; where a result would be missed they
/// go with the first instead, if they are of inputs.  Nothing else changes: the same results, the same bytes
/// on the wire in fewer messages.  Several values of one message are packed into one buffer and out of one, which is
/// scratch.
Program bucket(Program, std::int64_t elements);

}  // namespace ithaca
