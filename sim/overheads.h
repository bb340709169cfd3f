// sim/overheads.h -- device memory that no tensor of the program explains.
//
// Estimates, printed apart from the exact bytes: context 0.5 GiB (0.4 to 0.6 reported), communicator buffers 1.6 GB
// with the first collective (github.com/NVIDIA/nccl issue 864), a further 3.28 GB with the first all-to-all on 8
// GPUs, whose point-to-point channels each want buffers (issue 1685: 1.06 to 4.34 GB).
#pragma once

#include "sim/count.h"

#include <cstdint>

namespace ithaca {

struct Overheads {
  std::int64_t context_bytes = 512LL << 20;
  std::int64_t communicator_bytes = 0;
  std::int64_t all_to_all_bytes = 0;
  std::int64_t bytes() const { return context_bytes + communicator_bytes + all_to_all_bytes; }
};
Overheads overheads(const Count&);

}  // namespace ithaca
