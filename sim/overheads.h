// sim/overheads.h -- device memory that no tensor of the program explains.
//
// Estimates, printed apart from the exact bytes: context 0.5 GiB (0.4 to 0.6 reported); communicator buffers 1.6 GB
// for one and about 6 GB for three (github.com/NVIDIA/nccl issue 864, hence 2.2 GB for each further one); a further
// 3.28 GB with the first all-to-all on 8 GPUs, whose point-to-point channels each want buffers (issue 1685: 1.06 to
// 4.34 GB); the buffers of the implementation (models/profile.h).
#pragma once

#include "models/profile.h"
#include "models/step.h"
#include "sim/count.h"

#include <cstdint>

namespace ithaca {

struct Overheads {
  std::int64_t context_bytes = 512LL << 20;
  std::int64_t communicator_bytes = 0;
  std::int64_t all_to_all_bytes = 0;
  std::int64_t gathered_bytes = 0;  ///< weights kept gathered that no step is using
  std::int64_t bucket_bytes = 0;    ///< gradients on their way to a reduction
  std::int64_t bytes() const {
    return context_bytes + communicator_bytes + all_to_all_bytes + gathered_bytes + bucket_bytes;
  }
};
/// Of a step whose micro-batches and update send `count`.
Overheads overheads(const Count&, const MicroBatch&, const Buffers&);

}  // namespace ithaca
