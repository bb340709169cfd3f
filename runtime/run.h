// runtime/run.h -- executes a program as one rank and says what that rank really did.
//
// Bytes sent are the communicator's count, bytes held a ledger of the buffers really taken; neither
// is read off the prediction, so that they can be compared with it.
#pragma once

#include "models/layer.h"
#include "runtime/communicator.h"
#include "runtime/device.h"
#include "sim/memory.h"
#include "sim/timeline.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ithaca {

/// What one rank measured.
struct RankResult {
  std::vector<Span> spans;                       ///< one per step, on the clock of Device::now_s
  std::vector<std::int64_t> sent_bytes_by_step;  ///< as the communicator counted
  std::vector<std::int64_t> sent_bytes_to;       ///< by peer, in this run
  std::int64_t peak_live_bytes = 0;              ///< most bytes of tensors and scratch held at once
  std::int64_t peak_host_bytes = 0;              ///< the same of tensors on the host
  std::int64_t to_host_bytes = 0, from_host_bytes = 0;  ///< copied between device and host
  std::map<ValueId, std::vector<std::byte>>
      outputs;  ///< local slices of program.outputs(), as they lie
};

/// Bytes of this rank's slice of an input of the program, in the dtype of its type.
using Inputs = std::function<std::vector<std::byte>(ValueId)>;

/// A program with what every run of it needs: where values lie, what waits for what, that its order of collectives
/// cannot block.  Made once, shared by ranks and runs.
struct Runnable {
  /// EnvironmentError when the order of collectives could block.
  explicit Runnable(Program);
  Program program;
  MemoryPlan plan;
  std::vector<std::vector<std::uint32_t>> waits;  ///< by step, earlier steps on other lanes
  std::uint64_t fingerprint;
};

/// Runs `program` as `communicator.rank()`; the mesh must have as many ranks as the communicator.
/// Before anything runs, all ranks agree on the program and the order of its collectives is
/// checked. An error on any rank ends all of them: that rank throws it, the others throw
/// EnvironmentError with its reason.
RankResult run_rank(const Runnable&, Device&, Communicator&, const Inputs&);
inline RankResult run_rank(const Program& program, Device& device, Communicator& communicator,
                           const Inputs& input) {
  return run_rank(Runnable(program), device, communicator, input);
}

}  // namespace ithaca
