// planner/reserved.h -- what PyTorch's allocator reserves for the tensors of a job's step, by policy.
#pragma once

#include "planner/price.h"
#include "sim/reserved.h"

#include <optional>

namespace ithaca {

struct Reserved {
  ReservedMemory segments;    ///< the default: a segment for each large request
  ReservedMemory expandable;  ///< expandable_segments:True
};

/// On a device without end: near a full one the allocator frees what it caches and may do with less.  Overheads come on
/// top.  Nothing when the step, all layers and tiles written out, has more than `most_steps`.
std::optional<Reserved> reserved(const Job&, const Arrangement&, const Recompute&,
                                 std::int64_t most_steps = 200'000);

}  // namespace ithaca
