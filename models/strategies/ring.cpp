// Ring attention (Liu et al., arXiv 2310.01889) as TransformerEngine runs it: keys and values make N-1 hops forward
// and backward, and so do their gradients, in bf16.
#include "models/strategy.h"

namespace ithaca {

Strategy ring(Axis r, Deal deal, const WeightRow& weights) {
  Strategy s = everywhere(DimName::L, {r}, weights, deal);
  s.attention.ring = Ring{{r}};
  return s;
}

}  // namespace ithaca
