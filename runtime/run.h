// runtime/run.h -- executes a program on every rank and says what it really did.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "models/layer.h"
#include "runtime/communicator.h"
#include "runtime/device.h"
#include "sim/memory.h"
#include "sim/timeline.h"

namespace ithaca {

/// A whole (unsharded) tensor on the host, in double precision, row-major over the global dims of its value.
using HostTensor = std::vector<double>;

/// What one rank measured.
struct RankResult {
  std::vector<Span> spans;                          ///< one per step, clock shared by all ranks, from the start
  std::vector<std::int64_t> sent_bytes_by_step;     ///< as the communicator counted
  std::vector<std::int64_t> sent_bytes_to;          ///< by peer
  std::int64_t peak_live_bytes = 0;                 ///< high-water mark of tensors and scratch really held
  std::map<ValueId, std::vector<std::byte>> outputs;  ///< local slices of program.outputs(), as they lie
};

/// Runs `program` as `communicator.rank()`.  `input(v)` gives the bytes of this rank's slice of input v in its dtype.
/// Throws what any rank throws, on every rank.
RankResult run_rank(const Program&, Device&, Communicator&,
                    const std::function<std::vector<std::byte>(ValueId)>& input);

}  // namespace ithaca
