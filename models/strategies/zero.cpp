// Where weights are kept: DDP, ZeRO-1, 2, 3 (Rajbhandari et al., arXiv 1910.02054) and FSDP's SHARD_GRAD_OP (Zhao et
// al., arXiv 2304.11277) are rows of the table, not strategies; splitting samples (data) or tokens (local) and nothing
// else needs one of them.
#include "models/strategy.h"

namespace ithaca {

WeightRow ddp() {
  return {};
}

WeightRow zero1(const AxisList& axes) {
  WeightRow row;
  row.state = axes;
  return row;
}

WeightRow zero2(const AxisList& axes) {
  WeightRow row = zero1(axes);
  row.scatter = axes;
  return row;
}

WeightRow zero3(const AxisList& axes) {
  return {{}, axes};
}

WeightRow gradop(const AxisList& axes) {
  WeightRow row = zero3(axes);
  row.keep = true;
  return row;
}

Strategy local(const AxisList& axes, Deal deal, const WeightRow& weights) {
  return everywhere(DimName::L, axes, weights, deal);
}

Strategy data(const AxisList& axes, const WeightRow& weights) {
  return everywhere(DimName::b, axes, weights);
}

}  // namespace ithaca
