// Ring attention as ring-flash-attn runs it: gradients of keys and values travel in f32 and make a full turn of N
// hops, the last one home.
#include "models/strategy.h"

namespace ithaca {

Strategy ring_homing(Axis r, Deal deal, const WeightRow& weights) {
  Strategy s = ring(r, deal, weights);
  s.attention.ring = Ring{{r}, true, DType::f32};
  return s;
}

}  // namespace ithaca
