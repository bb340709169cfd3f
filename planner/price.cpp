#include "planner/price.h"

#include "models/divide_up.h"
#include "planner/pipeline.h"

#include <algorithm>

namespace ithaca {
namespace {

/// Tokens of a sample one rank works on in the MLP, and samples.
std::int64_t local_tokens(const Job& job, const Arrangement& at) {
  const Type t = laid({DType::bf16, {{DimName::b, job.shape.b}, {DimName::L, job.shape.L}}, {}, {}},
                      at.strategy.mlp.in);
  return local_size(t.dims[0], at.mesh) * local_size(t.dims[1], at.mesh);
}

}  // namespace

StepOptions step_options(const Job& job, const Arrangement& at, const Recompute& recompute) {
  const Levers& levers = job.levers;
  const std::int64_t tokens = local_tokens(job, at);
  constexpr std::int64_t tile_logits = (1 << 30) / 4;  // f32 in 1 GiB
  StepOptions options;
  options.layer.recompute = recompute;
  options.layer.backward = !job.forward_only;
  options.layer.adapter_rank = job.adapter_rank;
  options.layer.dtype = job.recipe.weight;
  options.layer.gradient = job.recipe.gradient;
  options.layer.reduction = job.profile.reduction;
  options.layer.kernels = job.profile.kernels;
  options.layer.accumulate = job.micro_batches > 1 || job.pipeline.chunks > 1;
  options.layer.gradient_buffers = job.profile.buffers.gradients;
  options.layer.mlp_tiles =
      levers.mlp_tiles > 0 ? levers.mlp_tiles : divide_up(tokens, job.shape.d);
  options.loss_tiles =
      levers.loss_tiles > 0
          ? levers.loss_tiles
          : std::max<std::int64_t>(1, divide_up(tokens * job.vocabulary, tile_logits));
  options.offload = levers.offload && recompute.full;
  options.layer.gradients_on_host = levers.optimizer_offload;
  options.layer.comm_chunks = levers.comm_chunks;
  options.weights_on_host = levers.weights_offload;
  options.bucket_elements = levers.bucket_elements;
  return options;
}

Layer layer_of(const Job& job, const Arrangement& arrangement, const Recompute& recompute) {
  LayerOptions options = step_options(job, arrangement, recompute).layer;
  options.mlp_tiles = 1;  // neither they nor what becomes of gradients changes what one layer sends
  options.gradient = {};
  options.accumulate = options.gradients_on_host = false;
  options.gradient_buffers = GradientBuffers::none;
  return layer_program(job.shape, with_profile(arrangement.strategy, job.profile), arrangement.mesh,
                       options);
}

StepShape step_shape(const Job& job, const Strategy& strategy) {
  StepShape shape{{}, job.vocabulary, job.tied};
  const std::int64_t windowed =
      job.window < job.shape.L ? std::min(job.window_layers, job.layers) : 0;
  if (windowed > 0) {
    LayerShape window = job.shape;
    window.mask = Mask::window(job.window);
    shape.runs.push_back({window, strategy, windowed});
  }
  if (windowed < job.layers) shape.runs.push_back({job.shape, strategy, job.layers - windowed});
  return shape;
}

StepPrograms step_of(const Job& job, const Arrangement& at, const Recompute& recompute,
                     bool unrolled) {
  const StepShape shape = step_shape(job, with_profile(at.strategy, job.profile));
  return programs_of(job, shape, at, recompute, unrolled);
}

StepPrograms programs_of(const Job& job, const StepShape& shape, const Arrangement& at,
                         const Recompute& recompute, bool unrolled) {
  StepOptions options = step_options(job, at, recompute);
  options.unrolled = unrolled;
  StepPrograms step{micro_batch(shape, at.mesh, options), {}};
  UpdateOptions update;
  update.reduction = job.profile.reduction;
  update.recipe = job.recipe;
  update.on_host = job.levers.optimizer_offload;
  update.bucket_elements = job.levers.bucket_elements;
  step.update = update_program(step.micro.program, step.micro.parameters, update);
  return step;
}

std::int64_t Need::host_bytes_per_node(const Cluster& cluster) const {
  return memory.host_bytes * std::min<std::int64_t>(cluster.gpus_per_node, ranks);
}
bool Need::fits_gpu(const Cluster& cluster) const {
  return peak_bytes() <= cluster.gpu.memory_bytes;
}
bool Need::fits_host(const Cluster& cluster) const {
  return host_bytes_per_node(cluster) <= cluster.host_memory_bytes;
}

Need need_of(const Job& job, const StepPrograms& step) {
  Buffers buffers = job.profile.buffers;
  if (job.levers.bucket_elements > 0) buffers.bucket_elements = 0;  // the programs have them
  Need need{step_memory(step.micro, step.update),
            overheads(count(step.micro.program) + count(step.update.program), step.micro, buffers),
            step.micro.program.mesh().ranks()};
  std::int64_t& kept = need.overheads.gathered_bytes;  // those in use count already
  kept = std::max<std::int64_t>(0, kept - need.memory.gathered_bytes);
  return need;
}

Need need_of(const Job& job, const Arrangement& at, const Recompute& recompute) {
  return job.pipeline.on() ? pipeline_need(job, at, recompute)
                           : need_of(job, step_of(job, at, recompute));
}

PricedStrategy price(const Job& job, const std::string& strategy, const Mesh& mesh,
                     const Recompute& recompute) {
  PricedStrategy p{arrange(strategy, mesh, job.shape), recompute, {}, {}, {}, {}, {}, {}};
  const Layer layer = layer_of(job, p.arrangement, recompute);
  p.count = count(layer.program);
  p.update = count(settle_program(layer));
  if (job.pipeline.on()) {
    price_pipeline(p, job);
    return p;
  }
  const StepPrograms step = step_of(job, p.arrangement, recompute);
  p.step = job.micro_batches * count(step.micro.program) + count(step.update.program);
  p.need = need_of(job, step);
  p.time = step_time(step.micro, step.update, {job.micro_batches, job.overlap, job.profile.streams},
                     ClusterCost(job.cluster));
  return p;
}

}  // namespace ithaca
