// sim/reserved.h -- what the framework's allocator reserves for a training step: a replay of all its allocations.
//
// Weights, optimizer states and all that memory() sees live are asked of a CachingAllocator, in order of issue, and
// given back when they die; values that take over a buffer ask for nothing.  Two whole steps are replayed, each a
// micro-batch and the update: the second meets the cache as the first has left it and may need more; a third to tenth
// reserved nothing further in 48 cases tried.  More micro-batches before an update meet the same cache.  Optimizer
// states lie behind the weights, from before the first step on.  One stream: libraries that gather weights on streams of their own cannot
// reuse each other's blocks and reserve more.
#pragma once

#include "models/step.h"
#include "models/update.h"
#include "sim/allocator.h"

#include <cstdint>

namespace ithaca {

struct ReservedMemory {
  bool fits = true;  ///< false: the replay ended where the device was full
  std::int64_t peak_bytes = 0;
  std::int64_t allocated_at_peak_bytes = 0;  ///< handed out when the peak was first reached
  std::int64_t requested_peak_bytes =
      0;                           ///< most asked for at once, unrounded: live tensors and scratch
  std::int64_t at_loss_bytes = 0;  ///< reserved when the loss of the second step is computed
  std::int64_t allocated_at_loss_bytes = 0;  ///< likewise, handed out
};

/// Both programs of a micro-batch with all layers written out (StepOptions::unrolled).
ReservedMemory reserved_memory(const MicroBatch&, const Update&, const AllocatorPolicy&);

}  // namespace ithaca
