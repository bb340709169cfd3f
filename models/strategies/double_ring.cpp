// Double ring (Gu et al., "LoongTrain", arXiv 2406.18485 section 4.4; Sun et al., "BurstEngine", arXiv 2509.19836): the
// ring on two axes, an inner one within a node and an outer one across nodes.  Keys and values still make N-1 hops, but
// only one of as many as the inner axis has ranks leaves the node, by the NICs of all its GPUs, behind a turn of blocks.
#include "models/strategy.h"

namespace ithaca {

Strategy double_ring(Axis outer, Axis inner, Deal deal, const WeightRow& weights) {
  Strategy s = everywhere(DimName::L, {outer, inner}, weights, deal);
  s.attention.ring = Ring{{outer, inner}};
  return s;
}

Strategy double_ring_homing(Axis outer, Axis inner, Deal deal, const WeightRow& weights) {
  Strategy s = double_ring(outer, inner, deal, weights);
  s.attention.ring = Ring{{outer, inner}, true, DType::f32};
  return s;
}

}  // namespace ithaca
