#include "models/strategy.h"

namespace ithaca {
namespace {

WeightRow operator+(const WeightRow& a, const WeightRow& b) {
  return {a.cut + b.cut,     a.flat + b.flat,       a.serve_backward && b.serve_backward,
          a.state + b.state, a.scatter + b.scatter, a.all_reduce || b.all_reduce,
          a.keep || b.keep};
}

}  // namespace

Strategy operator*(const Strategy& a, const Strategy& b) {
  const AttentionTable &x = a.attention, &y = b.attention;
  return {a.residual + b.residual,
          {x.in + y.in, x.q + y.q, x.kv + y.kv, x.context + y.context, x.weights + y.weights,
           x.ring ? x.ring : y.ring, x.keep_kv || y.keep_kv},
          {a.mlp.in + b.mlp.in, a.mlp.weights + b.mlp.weights},
          {}};
}

Strategy operator|(const Strategy& a, const Strategy& b) {
  return {a.residual, a.attention, b.mlp, b.ends};
}

Layout over(DimName dim, const AxisList& axes, Deal deal) {
  Layout layout;
  for (const Axis axis : axes) layout.push_back({dim, {axis, deal}});
  return layout;
}

Layout heads(const HeadAxes& axes) {
  return over(DimName::k, axes.kv) + over(DimName::g, axes.rep);
}

Strategy everywhere(DimName dim, const AxisList& axes, const WeightRow& weights, Deal deal) {
  const Layout lie = over(dim, axes, deal);
  return {lie, {lie, lie, lie, lie, weights, {}, false}, {lie, weights}, {}};
}

}  // namespace ithaca
