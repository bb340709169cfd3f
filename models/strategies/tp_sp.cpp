// Tensor parallelism with the residual stream split along the sequence (Korthikanti et al., "Reducing Activation
// Recomputation in Large Transformer Models", arXiv 2205.05198).  Per layer: 6 all-gathers and 4 reduce-scatters
// of [b L d]; two of the gathers fetch the inputs of the projections again for their weight gradients.
#include "models/strategy.h"

namespace ithaca {

Strategy tp_sp(const HeadAxes& t) {
  Strategy s = tp(t);
  s.residual = over(DimName::L, t.all());
  return s;
}

}  // namespace ithaca
