// Tensor parallelism (Shoeybi et al., "Megatron-LM", arXiv 1909.08053): heads and the intermediate dimension are
// split, the residual stream is copied.  Per layer, forward and backward: 4 all-reduces of [b L d].
#include "models/strategy.h"

namespace ithaca {

Strategy tp(const HeadAxes& t) {
  Strategy s;
  s.attention.q = s.attention.kv = s.attention.context = s.attention.weights.cut = heads(t);
  s.mlp.weights.cut = over(DimName::i, t.all());
  return s;
}

}  // namespace ithaca
