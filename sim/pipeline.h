// sim/pipeline.h -- when the stages of a pipeline work and when they wait: 1F1B and its interleaved form.
//
// As Megatron-LM issues them (megatron/core/pipeline_parallel/schedules.py, get_pp_rank_microbatches and
// get_schedule_table; arXiv 2104.04473 section 2.2): forwards to warm up, then a forward and a backward in turn, then
// the backwards that are left.  Stage s warms up with p-s-1 forwards of p stages; with v chunks a stage with
// 2(p-s-1) + (v-1) p, never more than there are.  Chunk c of stage s is piece c p + s of the model.  A piece hands on
// over a hop that occupies neither stage: sends are behind computation (--overlap-p2p-communication).
#pragma once

#include <cstdint>
#include <vector>

namespace ithaca {

struct PipelineShape {
  int stages = 1, chunks = 1;      ///< chunks of the model on every stage
  std::int64_t micro_batches = 1;  ///< of one optimizer step
  int pieces() const { return stages * chunks; }
};

/// One pass of one micro-batch through one chunk.
struct Turn {
  bool forward;
  int chunk;
  std::int64_t micro_batch;
};
/// What a stage does, in order.  Throws InputError with key "--pipeline" when there are several chunks on one stage, or
/// micro-batches that the stages do not divide (interleaving goes in rounds of one per stage).
std::vector<Turn> turns(const PipelineShape&, int stage);

/// Of one micro-batch in one piece.
struct PieceTime {
  double forward_s = 0, backward_s = 0;
};

struct StageRun {
  double busy_s = 0;    ///< in its pieces, their own communication included
  double bubble_s = 0;  ///< the rest of the step: waiting for other stages
  std::int64_t in_flight =
      0;  ///< most micro-batches, of all chunks, between forward and backward at once
};
struct PipelineRun {
  double step_s = 0;
  std::vector<StageRun> stages;
};

/// `pieces` in the order of the model; `hop_s` from a stage to the next and back, the last to the first included.
///
///     step_s = (m v + p - 1) (forward_s + backward_s)      equal pieces, no hops, m a multiple of p where v > 1
PipelineRun run_pipeline(const PipelineShape&, const std::vector<PieceTime>& pieces, double hop_s);

}  // namespace ithaca
