// sim/critical_path.h -- the chain of steps that sets when a predicted timeline ends.
#pragma once

#include "sim/timeline.h"

#include <cstddef>
#include <vector>

namespace ithaca {

/// Positions in timeline.spans, from the first to the last to end.  Each begins when the one before it ends: what made its
/// operand if that is among them, else what its lane did before, else another step it waited for, perhaps of a rank of its
/// group.  Spans that take no time are left out.
std::vector<std::size_t> critical_path(const Program&, const Timeline&);

}  // namespace ithaca
