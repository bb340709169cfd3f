#include "planner/price.h"

namespace ithaca {

Layer layer_of(const Job& job, const Arrangement& arrangement, bool recompute) {
  return layer_program(job.shape, arrangement.strategy, arrangement.mesh, {recompute});
}

PricedStrategy price(const Job& job, const std::string& strategy, const Mesh& mesh,
                     bool recompute) {
  PricedStrategy p{arrange(strategy, mesh, job.shape), recompute, {}, {}, {}, {}, {}};
  const Layer layer = layer_of(job, p.arrangement, recompute);
  p.count = count(layer.program);
  p.update = count(settle_program(layer));
  p.memory = model_memory(layer, job.layers);
  p.overheads = overheads(p.count);
  p.time = step_time(layer, job.layers, job.overlap, ClusterCost(job.cluster));
  return p;
}

}  // namespace ithaca
