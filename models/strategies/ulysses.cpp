// DeepSpeed-Ulysses (Jacobs et al., arXiv 2309.14509): the sequence is split everywhere but in attention, whose
// heads are split instead.  Per layer: 8 all-to-alls of a rank's share of q, k, v and o.
#include "models/strategy.h"

namespace ithaca {

Strategy ulysses(const HeadAxes& u, const WeightRow& weights) {
  Strategy s = everywhere(DimName::L, u.all(), weights);
  s.attention.q = s.attention.kv = heads(u);
  s.attention.keep_kv = true;
  return s;
}

}  // namespace ithaca
