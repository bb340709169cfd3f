// Unified sequence parallelism (Fang and Zhao, arXiv 2405.07719): Ulysses inside, a ring around it.
#include "models/strategy.h"

namespace ithaca {

Strategy usp(const HeadAxes& u, Axis r, Deal deal, const WeightRow& weights) {
  return ring(r, deal, weights) * ulysses(u, ddp());
}

}  // namespace ithaca
