#include "planner/pipeline.h"

#include "planner/stages.h"

#include <algorithm>

namespace ithaca {
namespace {

StepPlan plan_of(const Job& job) {
  return {job.micro_batches, job.overlap, job.profile.streams};
}

/// The ranks of all stages, which are the outermost axis.
Mesh mesh_of(const Stages& stages) {
  const Mesh& one = stages.piece(0).programs.micro.program.mesh();
  return Mesh({{"stage", stages.shape().stages}, {"rank", one.ranks()}});
}

/// From every rank of a stage to that of the next, and of the last to the first, where chunks go on.
double hop_s(const Stages& stages, const ClusterCost& cost, std::int64_t bytes) {
  return stages.shape().stages > 1 ? cost.shift_s(mesh_of(stages), Axis{0}, bytes) : 0;
}

/// Seconds to sum the gradient of a table that the first and the last stage both have: two ranks send each other half
/// of it, then the half they summed.
double tied_s(const Job& job, const Stages& stages, const ClusterCost& cost) {
  const StepPrograms& first = stages.piece(0).programs;
  const Program& p = first.micro.program;
  const auto table = std::ranges::find(first.micro.parameters, "embedding", &Parameter::name);
  if (!job.tied || table == first.micro.parameters.end() || table->grad == no_value) return 0;
  return hop_s(stages, cost, local_bytes(p.type(table->grad), p.mesh()));
}

/// Of each piece: a micro-batch, and all of them with the update.
std::vector<StepTime> times_of(const Job& job, const Stages& stages, const ClusterCost& cost) {
  const int pieces = stages.shape().pieces();
  std::vector<StepTime> times;
  for (int k = 0; k < pieces; ++k) {
    const StepPrograms& step = stages.piece(k).programs;
    const bool as_before = k > 1 && k < pieces - 1;
    times.push_back(as_before ? times.back()
                              : step_time(step.micro, step.update, plan_of(job), cost));
  }
  return times;
}

PipelineRun run_of(const Stages& stages, const std::vector<StepTime>& times, double hop_s) {
  std::vector<PieceTime> pieces;
  for (const StepTime& t : times) pieces.push_back({t.forward_s, t.backward_s});
  return run_pipeline(stages.shape(), pieces, hop_s);
}

/// Of all chunks of a stage together.
StepTime stage_time(const PipelineShape& n, const std::vector<StepTime>& times, int stage) {
  StepTime sum;
  for (int c = 0; c < n.chunks; ++c) {
    const StepTime& t = times[static_cast<std::size_t>(c * n.stages + stage)];
    sum.forward_s += t.forward_s;
    sum.backward_s += t.backward_s;
    sum.update_s += t.update_s;
    sum.hidden_s += t.hidden_s;
    sum.compute_s += t.compute_s;
  }
  sum.micro_batch_s = sum.forward_s + sum.backward_s;
  return sum;
}

/// Stages whose micro-batch takes longest, and whose update is over last.
struct Slowest {
  int micro_batch = 0, update = 0;
};

Slowest slowest(const PipelineShape& n, const std::vector<StepTime>& times) {
  Slowest most;
  const auto update_s = [&](int stage) {
    const StepTime t = stage_time(n, times, stage);
    return t.update_s - t.hidden_s;
  };
  for (int s = 1; s < n.stages; ++s) {
    if (stage_time(n, times, s).micro_batch_s >
        stage_time(n, times, most.micro_batch).micro_batch_s)
      most.micro_batch = s;
    if (update_s(s) > update_s(most.update)) most.update = s;
  }
  return most;
}

/// The micro-batch of the slowest stage, the update of that which is over last.
StepTime time_of(const PipelineShape& n, const std::vector<StepTime>& times) {
  const Slowest most = slowest(n, times);
  StepTime t = stage_time(n, times, most.micro_batch);
  const StepTime last = stage_time(n, times, most.update);
  t.update_s = last.update_s;
  t.hidden_s = last.hidden_s;
  return t;
}

Load fullest(const std::vector<Load>& loads) {
  return *std::ranges::max_element(loads, {},
                                   [](const Load& load) { return load.memory.peak_bytes; });
}

}  // namespace

Need pipeline_need(const Job& job, const Arrangement& arrangement, const Recompute& recompute) {
  const Stages stages(job, arrangement, recompute);
  return stages.need(fullest(stages.loads()));
}

void price_pipeline(PricedStrategy& p, const Job& job) {
  const Stages stages(job, p.arrangement, p.recompute);
  const ClusterCost cost(job.cluster);
  const std::vector<StepTime> times = times_of(job, stages, cost);
  const std::vector<Load> loads = stages.loads();
  const Load most = fullest(loads);
  PipelinePrice price;
  price.hop_bytes = stages.hop_bytes();
  price.hop_s = hop_s(stages, cost, price.hop_bytes);
  price.run = run_of(stages, times, price.hop_s);
  for (const Load& load : loads) price.peak_bytes.push_back(load.memory.peak_bytes);
  price.fullest = most.stage;
  p.need = stages.need(most);
  p.step = stages.count_of(most.stage);
  p.time = time_of(stages.shape(), times);
  p.time.update_s += tied_s(job, stages, cost);
  p.time.step_s = price.run.step_s + p.time.update_s - p.time.hidden_s;
  p.time.exposed_comm_s = p.time.step_s - p.time.compute_s;
  p.pipeline = std::move(price);
}

std::vector<Cause> pipeline_causes(const Job& job, const Arrangement& arrangement,
                                   const Recompute& recompute) {
  const Stages stages(job, arrangement, recompute);
  const PipelineShape& n = stages.shape();
  const ClusterCost cost(job.cluster);
  const std::vector<StepTime> times = times_of(job, stages, cost);
  const Slowest most = slowest(n, times);
  const double step_s = run_of(stages, times, hop_s(stages, cost, stages.hop_bytes())).step_s;
  const PipelineRun at_once = run_of(stages, times, 0);
  const double bubble_s = at_once.stages[static_cast<std::size_t>(most.micro_batch)].bubble_s;
  std::vector<CausesOf> parts{{1,
                               {{"other stages (bubble)", bubble_s, true},
                                {"hops between stages", step_s - at_once.step_s, true},
                                {"sum of the tied table", tied_s(job, stages, cost), true},
                                hidden_sums(stage_time(n, times, most.update).hidden_s)}}};
  for (int c = 0; c < n.chunks; ++c) {
    parts.push_back({static_cast<double>(n.micro_batches),
                     causes(stages.piece(most.micro_batch, c).programs.micro, plan_of(job), cost)});
    parts.push_back({1, causes(stages.piece(most.update, c).programs.update, cost)});
  }
  return together(parts);
}

}  // namespace ithaca
