// sim/step.h -- readings of a whole optimizer step: what a rank holds at most, and how long it takes.
//
// The program of a micro-batch writes equal layers at most three times: the first, a steady one, the last.  The layers
// left out are put back here: each keeps what the last of them keeps, leaves the gradients the steady one leaves, and
// takes the time by which it prolonged the one before.  Where nothing is left out nothing is added.
#pragma once

#include "models/profile.h"
#include "models/step.h"
#include "models/update.h"
#include "sim/cost.h"
#include "sim/memory.h"
#include "sim/timeline.h"

#include <string>

namespace ithaca {

struct StepMemory {
  std::int64_t peak_bytes = 0;
  BytesByRole by_role{};            ///< adds up to peak_bytes
  std::string where;                ///< what ran at the peak: "fwd attend", "update adam"
  std::int64_t gathered_bytes = 0;  ///< of the peak: weights gathered or fetched for use
  std::int64_t at_loss_bytes =
      0;  ///< held when the forward is over and the loss known, logits included
  std::int64_t host_bytes = 0;  ///< most in host memory, of this rank
  BytesByRole resident{};       ///< weights, buffers of gradients and states: there at all times
  /// Most while the forward runs, while a micro-batch does, in the update; peak_bytes is the largest.
  std::int64_t forward_peak_bytes = 0, micro_batch_peak_bytes = 0, update_peak_bytes = 0;
  /// Kept for its backward by a micro-batch whose forward is over, on the device and on the host.
  std::int64_t saved_bytes = 0, host_saved_bytes = 0;
};
/// One micro-batch in flight.  Optimizer states count as `optimizer` wherever the step is.
StepMemory step_memory(const MicroBatch&, const Update&);

struct StepTime {
  double micro_batch_s = 0, update_s = 0;
  double forward_s = 0, backward_s = 0;  ///< of a micro-batch: until its backward begins, and after
  double hidden_s = 0;                   ///< of the update: sums that ran behind the last backward
  double step_s = 0;                     ///< micro_batches micro_batch_s + update_s - hidden_s
  double compute_s = 0;                  ///< of the step
  double exposed_comm_s = 0;             ///< step_s less compute_s
};
struct StepPlan {
  std::int64_t micro_batches = 1;
  bool overlap = true;
  Streams streams = {};
};
StepTime step_time(const MicroBatch&, const Update&, const StepPlan&, const CostModel&);

}  // namespace ithaca
