// Attention, its ring and the changes of place: the rules of builder.h that speak of more than one rank.
#include "models/builder.h"
#include "models/error.h"
#include "models/wire.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

/// Axes that shard q but not k: every rank along them adds to the same dk.
AxisList extra_axes(const Type& q, const Type& k) {
  AxisList extra;
  const AxisList of_k = axes_of(k);
  for (const Axis axis : axes_of(q))
    if (!contains(of_k, axis)) extra.push_back(axis);
  std::ranges::sort(extra);
  return extra;
}

/// `to`, but still partial on the axes where it holds copies of the sum.
Type still_partial(const Type& from, Type to) {
  const AxisList busy = axes_of(to);
  for (const Axis axis : from.partial)
    if (!contains(busy, axis)) to.partial.push_back(axis);
  std::ranges::sort(to.partial);
  to.maximum = from.maximum && !to.partial.empty();
  return to;
}

/// Attention to every block that comes by on a walk around the axes of a ring.
class RingWalk {
 public:
  RingWalk(Builder& b, const Ring& ring, ValueId q, const Ids& kv, const Attend& how)
      : b_(b), ring_(ring), q_(q), how_(how) {
    walk(kv);
  }
  const Ids& sum() const { return sum_; }    ///< o in f32 and lse
  const Ids& last() const { return last_; }  ///< the block that came last

 private:
  void walk(const Ids& block) {
    const std::size_t depth = how_.keys.size();
    if (depth == ring_.axes.size()) return meet(block);
    const Axis axis = ring_.axes[depth];
    Ids kv = block;
    for (int hops = 0, n = b_.program().mesh().ranks(axis); hops < n; ++hops) {
      const Ids here = kv;  // the next block is on its way while this one is used
      if (hops + 1 < n) kv = b_.shift(here, axis, 1);
      how_.keys.push_back({axis, hops});
      walk(here);
      how_.keys.pop_back();
    }
  }
  void meet(const Ids& kv) {
    const Ids block = b_.attend(q_, kv[0], kv[1], how_);
    sum_ = sum_.empty() ? Ids{b_.cast(block[0], DType::f32), block[1]}
                        : b_.merge({sum_[0], sum_[1], block[0], block[1]});
    last_ = kv;
  }

  Builder& b_;
  const Ring& ring_;
  ValueId q_;
  Attend how_;
  Ids sum_, last_;
};

}  // namespace

void Builder::check_attention(std::string_view step, const Ids& in, const Attend& how) const {
  need_settled(step, in);
  const Type &q = type(in[0]), &k = type(in[1]);
  if (k != type(in[2])) refuse(step, in[2], "expected v to lie as k");
  const Mesh& mesh = program_.mesh_;
  for (const Cut& cut : k.find(DimName::L)->over)
    if (mesh.ranks(cut.axis) > 1 &&
        std::ranges::find(how.keys, cut.axis, &Hops::axis) == how.keys.end())
      refuse(step, in[1],
             fmt::format("expected all of dim L of the keys, got a shard over {}; gather it or "
                         "let attention walk around that axis",
                         mesh.name(cut.axis)));
  for (const DimName name : {DimName::b, DimName::k})
    if (*q.find(name) != *k.find(name))
      refuse(step, in[1],
             fmt::format("expected dim {} to lie as in q {}", name_of(name), to_string(q, mesh)));
  need_whole(step, in[0], *q.find(DimName::e));
  if (const std::string why = how.mask.misfit(q.find(DimName::L)->size); !why.empty())
    throw TypeError("mask", why);
}

Ids Builder::attend(ValueId q, ValueId k, ValueId v, const Attend& how) {
  check_attention("attend", {q, k, v}, how);
  const Type o = type(q);
  Type lse = o;
  lse.dtype = DType::f32;
  lse.dims.pop_back();
  return push(how, {q, k, v}, {{"o", o}, {"lse", lse}});
}

Ids Builder::attend_grad(const Ids& in, const AttendGrad& how) {
  check_attention("attend_grad", {in[0], in[1], in[2]}, {how.mask, how.keys});
  need_settled("attend_grad", {in[5]});
  Type dk = type(in[1]);
  dk.partial = extra_axes(type(in[0]), dk);
  const Type dq = type(in[0]);
  return push(how, in,
              {{"d" + value(in[0]).name, dq},
               {"d" + value(in[1]).name, dk},
               {"d" + value(in[2]).name, dk}});
}

Ids Builder::merge(const Ids& in) {
  const Type o = type(in[0]), lse = type(in[1]);
  return push(Merge{}, in, {{"o", o}, {"lse", lse}});
}

ValueId Builder::move(ValueId x, const Type& to) {
  if (type(x) == to) return x;
  const Type scattered = still_partial(type(x), to);
  if (scattered != to && scattered != type(x)) return move(move(x, scattered), to);
  (void)traffic_of(type(x), to, program_.mesh_);
  const Value from = value(x);
  const ValueId v = push(Move{}, {x}, from.name, to);
  role(v, from.role);
  return v;
}

Ids Builder::shift(const Ids& values, Axis axis, int by) {
  Ids out;
  for (const ValueId v : values) {
    const Value from = value(v);
    out.push_back(add_value(from.name, from.type, from.role));
  }
  append(Shift{axis, by}, values, out);
  return out;
}

void Builder::check_ring(const Ids& q_k_v, const Ring& ring) const {
  for (const ValueId x : q_k_v)
    for (const Axis axis : ring.axes)
      if (const Dim& L = *type(x).find(DimName::L);
          std::ranges::find(L.over, axis, &Cut::axis) == L.over.end())
        refuse(
            "ring", x,
            fmt::format("expected dim L to lie over the ring's axis {}; split the sequence over it",
                        program_.mesh_.name(axis)));
  constexpr int most = 1024;  // the program holds every hop
  if (const int n = program_.mesh_.ranks(ring.axes); n > most)
    throw TypeError(
        "ring",
        fmt::format("expected a ring of at most {} ranks, got {}; put another axis inside it", most,
                    n));
}

Ids Builder::attend_ring(ValueId q, ValueId k, ValueId v, const Ring& ring, const Attend& how) {
  check_ring({q, k, v}, ring);
  const std::size_t first = program_.steps_.size();
  const RingWalk walk(*this, ring, q, {k, v}, how);
  const Ids& last = walk.last();
  const ValueId o = cast(walk.sum()[0], type(q).dtype), lse = walk.sum()[1];
  rings_.push_back(
      {first, program_.steps_.size(), ring, how, q, k, v, last[0], last[1], o, lse, type(q).dtype});
  return {o, lse};
}

void Builder::begin_recompute(bool keep_gathered) {
  open_.push_back(recomputed_.size());
  recomputed_.push_back({program_.steps_.size(), 0, keep_gathered});
}

void Builder::end_recompute() {
  recomputed_[open_.back()].last = program_.steps_.size();
  open_.pop_back();
}

}  // namespace ithaca
