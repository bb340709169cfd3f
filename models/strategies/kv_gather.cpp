// All-gather context parallelism (Llama 3, arXiv 2407.21783 section 3.3.2): queries stay split along the sequence,
// keys and values are gathered, and their gradients reduce-scattered.
#include "models/strategy.h"

namespace ithaca {

Strategy kv_gather(Axis c, Deal deal, const WeightRow& weights) {
  Strategy s = everywhere(DimName::L, {c}, weights, deal);
  s.attention.kv = {};
  return s;
}

}  // namespace ithaca
