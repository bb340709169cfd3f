#include "models/backward.h"

#include "models/error.h"
#include "models/wire.h"

#include <algorithm>

namespace ithaca {
namespace {

class Differentiator {
 public:
  Differentiator(Builder& builder, StepRange range, const BackwardOptions& options)
      : b_(builder),
        o_(options),
        first_(range.first),
        forward_(builder.program().steps().begin(),
                 builder.program().steps().begin() + static_cast<std::ptrdiff_t>(range.last)),
        cotangent_(builder.program().values().size(), no_value),
        now_(cotangent_.size()),
        again_(cotangent_.size(), no_value),
        maker_(cotangent_.size(), no_value),
        readers_(cotangent_.size(), 0),
        first_reader_(cotangent_.size(), no_value) {
    for (ValueId v = 0; v < now_.size(); ++v) now_[v] = v;
    for (std::size_t i = first_; i < forward_.size(); ++i) {
      for (const ValueId v : forward_[i].out) maker_[v] = static_cast<ValueId>(i);
      for (const ValueId v : forward_[i].in) {
        ++readers_[v];
        first_reader_[v] = std::min(first_reader_[v], static_cast<ValueId>(i));
      }
    }
  }

  std::vector<ValueId> run(const Seeds& seeds, const std::vector<ValueId>& wanted) {
    b_.phase(Phase::backward);
    find_needed(wanted);
    for (const auto& [v, d] : seeds) give(v, d);
    for (const ValueId v : wanted)
      if (first_reader_[v] == no_value) finish_weight(v);  // nothing is to come
    std::vector<ValueId> result;
    result.reserve(wanted.size());
    for (std::size_t end = forward_.size(); end > first_;) {
      b_.layer(forward_[end - 1].layer, forward_[end - 1].times, forward_[end - 1].tiles);
      recompute_regions_ending(end);
      end = step_back(end);
      hold_results_of_region(end);
      finish_weights(forward_[end], end, wanted);
    }
    for (const ValueId v : wanted) {
      const bool as_it_comes =
          !o_.settle || cotangent_[v] == no_value || b_.value(v).role == Role::weight;
      result.push_back(as_it_comes ? cotangent_[v] : settle(v));
    }
    return result;
  }

 private:
  /// Values that what is wanted goes into: the others get no cotangent.
  void find_needed(const std::vector<ValueId>& wanted) {
    needed_.assign(maker_.size(), false);
    for (const ValueId v : wanted) needed_[v] = true;
    for (std::size_t i = first_; i < forward_.size(); ++i)
      if (std::ranges::any_of(forward_[i].in, [&](ValueId v) { return needed_[v]; }))
        for (const ValueId v : forward_[i].out) needed_[v] = true;
  }

  /// A weight's gradient is complete when the first step that read it has been gone through.
  void finish_weights(const Step& step, std::size_t index, const std::vector<ValueId>& wanted) {
    for (const ValueId v : step.in)
      if (first_reader_[v] == index && std::ranges::count(wanted, v) > 0) finish_weight(v);
  }
  void finish_weight(ValueId v) {
    if (o_.finish && cotangent_[v] != no_value && b_.value(v).role == Role::weight)
      cotangent_[v] = o_.finish(v, cotangent_[v]);
  }

  /// Outer regions begin first and are computed again first.
  void recompute_regions_ending(std::size_t end) {
    for (std::size_t i = 0; i < b_.recomputed().size(); ++i) {
      const Builder::RecomputeRegion region = b_.recomputed()[i];
      if (region.last != end || region.first < first_) continue;
      b_.phase(Phase::recompute);
      const ValueId result = forward_[end - 1].out[0], cotangent = cotangent_[result];
      for (std::size_t at = region.first; at < region.last; ++at)
        if (!is_kept_attention(at)) recompute(forward_[at], region);
      repeat_holds(region);
      if (o_.hold_results) held_.push_back({region.first, {now_[result], cotangent}});
      b_.tiles(forward_[end - 1].tiles);
      b_.phase(Phase::backward);
    }
  }

  ValueId last_operand() const {
    const Step& last = b_.program().steps().back();
    require(!last.in.empty(), "a region's backward ends in a cotangent of its input");
    return last.in[0];
  }

  /// What is held in the forward is held in its recomputation.
  void repeat_holds(const Builder::RecomputeRegion& region) {
    const auto inside = [&](ValueId v) {
      return v < maker_.size() && maker_[v] != no_value && maker_[v] >= region.first &&
             maker_[v] < region.last;
    };
    const std::vector<Program::Hold> holds = b_.program().holds();
    for (const Program::Hold& hold : holds)
      if (inside(hold.value) && inside(hold.with)) b_.hold(now_[hold.value], now_[hold.with]);
  }

  /// Where the backward of a region ends, what it started from has been held all along.
  void hold_results_of_region(std::size_t first) {
    const auto mine = [&](const HeldResults& held) { return held.until == first; };
    for (const HeldResults& held : held_)
      if (mine(held))
        for (const ValueId v : held.values)
          if (v != no_value) b_.hold(v, last_operand());
    std::erase_if(held_, mine);
  }

  void recompute(const Step& step, const Builder::RecomputeRegion& region) {
    if (is_kept_weight(step.out[0])) return;
    Ids in;
    for (const ValueId v : step.in) {
      const bool inside = maker_[v] != no_value && maker_[v] >= region.first;
      b_.phase(Phase::backward);
      in.push_back(inside ? now_[v] : use(v));
      b_.phase(Phase::recompute);
    }
    b_.tiles(step.tiles);
    const Ids out = b_.repeat(step, in);
    for (std::size_t i = 0; i < out.size(); ++i) {
      now_[step.out[i]] = out[i];
      if (region.keep_gathered && b_.value(out[i]).role == Role::weight)
        again_[step.out[i]] = out[i];
    }
  }

  /// Results of attention that the recomputation takes from the forward.
  bool is_kept_attention(std::size_t at) const {
    if (!o_.recompute.keep_attention) return false;
    const auto around = [&](const Builder::RingRegion& ring) {
      return ring.first <= at && at < ring.last;
    };
    return std::holds_alternative<Attend>(forward_[at].op) ||
           std::ranges::any_of(b_.rings(), around);
  }

  bool is_kept_weight(ValueId v) const {
    return b_.value(v).role == Role::weight && std::ranges::count(b_.kept(), v) > 0;
  }

  /// Differentiates the step or ring region that ends at `end`; returns where it began.
  std::size_t step_back(std::size_t end) {
    for (const Builder::RingRegion& ring : b_.rings())
      if (ring.last == end) {
        const std::size_t first = ring.first;
        if (cotangent_[ring.o] != no_value) ring_back(Builder::RingRegion(ring));
        return first;
      }
    const Step& step = forward_[end - 1];
    if (std::ranges::any_of(step.out, [&](ValueId v) { return cotangent_[v] != no_value; }))
      std::visit([&](const auto& op) { back(op, step); }, step.op);
    return end - 1;
  }

  // ---- one derivative per operation ----------------------------------------------------------------------

  void back(const Move&, const Step& s) {  // the whole calculus of communication
    if (!needed_[s.in[0]]) return;
    const ValueId d = cotangent_[s.out[0]];
    Type to = dual(b_.type(s.in[0]));
    const AxisList touched = axes_of(b_.type(s.in[0])) + axes_of(b_.type(s.out[0]));
    for (const Axis axis : b_.type(d).partial)
      if (!contains(touched, axis)) to.partial.push_back(axis);
    const bool weight = b_.value(s.in[0]).role == Role::weight;
    const ValueId sent = weight && o_.reduction ? b_.cast(d, *o_.reduction) : d;
    to.dtype = b_.type(sent).dtype;
    const ValueId moved = b_.move(sent, to);
    if (weight && o_.hold_gradients && moved != sent) b_.hold(sent, moved);
    give(s.in[0], moved);
  }
  void back(const Einsum&, const Step& s) {
    const AxisList busy = axes_of(b_.type(s.in[0])) + axes_of(b_.type(s.in[1]));
    const bool linear = std::ranges::none_of(b_.type(cotangent_[s.out[0]]).partial,
                                             [&](Axis axis) { return contains(busy, axis); });
    const ValueId dy = linear ? cotangent_[s.out[0]] : settle(s.out[0]);
    const ValueId a = needed_[s.in[1]] ? use(s.in[0]) : no_value,
                  b = needed_[s.in[0]] ? use(s.in[1]) : no_value;
    if (needed_[s.in[0]])
      give(s.in[0], b_.einsum("d" + b_.value(s.in[0]).name, dy, b, b_.type(s.in[0]).dims));
    if (needed_[s.in[1]])
      give(s.in[1], b_.einsum("d" + b_.value(s.in[1]).name, a, dy, b_.type(s.in[1]).dims));
  }
  void back(const Add&, const Step& s) {
    for (const ValueId v : s.in) give(v, cotangent_[s.out[0]]);
  }
  void back(const Bias&, const Step& s) {
    give(s.in[0], cotangent_[s.out[0]]);
    if (needed_[s.in[1]]) give(s.in[1], b_.bias_grad(cotangent_[s.out[0]], s.in[1]));
  }
  void back(const Normalize& op, const Step& s) {
    Ids in = s.in;
    for (ValueId& v : in) v = use(v);
    // Linear in the cotangent, so a sum may stay partial, unless it meets that of a residual stream next.
    const bool alone = readers_[s.in[0]] == 1;
    const Ids d = b_.normalize_grad(op.kind, alone ? cotangent_[s.out[0]] : settle(s.out[0]), in);
    for (std::size_t i = 0; i < d.size(); ++i) give(s.in[i], d[i]);
  }
  void back(const Activate& op, const Step& s) {
    give(s.in[0], b_.activate_grad(op.kind, settle(s.out[0]), use(s.in[0])));
  }
  void back(const Rope& op, const Step& s) {
    Ids in{cotangent_[s.out[0]]};
    if (s.in.size() > 1) in.push_back(use(s.in[1]));
    give(s.in[0], b_.rope("d" + b_.value(s.in[0]).name, in, {op.theta, !op.inverse}));
  }
  void back(const SplitQkv&, const Step& s) {
    give(s.in[0], b_.join_qkv(settle(s.out[0]), settle(s.out[1]), settle(s.out[2])));
  }
  void back(const Attend& op, const Step& s) {
    const ValueId dy = settle(s.out[0]);
    const Ids d = b_.attend_grad(
        {use(s.in[0]), use(s.in[1]), use(s.in[2]), now_[s.out[0]], now_[s.out[1]], dy},
        {op.mask, op.keys, op.kernel});
    for (std::size_t i = 0; i < 3; ++i) give(s.in[i], d[i]);
  }
  void back(const Cast&, const Step& s) {
    give(s.in[0], b_.cast(cotangent_[s.out[0]], b_.type(s.in[0]).dtype));
  }
  void back(const Shift& op, const Step& s) {
    for (std::size_t i = 0; i < s.in.size(); ++i)
      if (cotangent_[s.out[i]] != no_value)
        give(s.in[i], b_.shift({cotangent_[s.out[i]]}, op.axis, -op.by)[0]);
  }
  void back(const Slice& op, const Step& s) {
    if (!needed_[s.in[0]]) return;
    const ValueId d = cotangent_[s.out[0]], x = s.in[0];
    Type whole = dual(b_.type(x));
    whole.dtype = b_.type(d).dtype;
    whole.partial = b_.type(d).partial;
    cotangent_[x] = b_.put(cotangent_[x], d, {op.dim, op.begin, op.count, op.parts}, whole);
  }
  void back(const Put& op, const Step& s) {
    const ValueId d = cotangent_[s.out[0]];
    give(s.in.back(), b_.slice(d, {op.dim, op.begin, op.count, op.parts}));
    if (s.in.size() == 2) give(s.in[0], d);
  }
  void back(const Embed&, const Step& s) {
    if (!needed_[s.in[1]]) return;
    const ValueId dx = settle(s.out[0]);
    if (std::ranges::count(b_.kept(), s.in[1]) > 0) b_.hold(s.in[1], dx);  // though not read
    give(s.in[1], b_.embed_grad(dx, s.in[0], s.in[1]));
  }
  void back(const TokenLoss& op, const Step& s) {
    Ids in{cotangent_[s.out[0]], s.in[0], s.in[1]};
    if (s.in.size() == 5) in.insert(in.end(), {s.in[2], s.in[3]});
    give(s.in[0], b_.token_loss_grad(in, op.vocabulary));
  }
  void back(const LogSoftmax&, const Step& s) { give(s.in[0], cotangent_[s.out[0]]); }
  void back(const Multiply&, const Step& s) {
    const ValueId x = s.in[0], factor = s.in[1];
    const bool whole = b_.type(x).dims.size() == b_.type(factor).dims.size();
    const ValueId dy = whole ? settle(s.out[0]) : cotangent_[s.out[0]];
    const std::string name = "d" + b_.value(factor).name;
    ValueId dfactor = no_value;
    if (needed_[factor])
      dfactor = whole ? b_.multiply(name, dy, use(x)) : b_.multiply_grad(dy, use(x), factor);
    if (needed_[x]) give(x, b_.multiply("d" + b_.value(x).name, dy, use(factor)));
    if (needed_[factor]) give(factor, dfactor);
  }
  template <class Op>
  void back(const Op&, const Step&) {
    require(false, "this operation appears only in a backward or inside a ring");
  }

  /// A walk back over the blocks of a ring: which is in sight, and the gradient of q so far.
  struct WalkBack {
    const Builder::RingRegion& ring;
    ValueId q, dy, dq = no_value;
    KeyHolder keys = {};
  };

  void ring_back(const Builder::RingRegion& r) {
    const bool homing = r.ring.homing;
    const ValueId dy = settle(r.o);
    WalkBack walk{r, use(r.q), dy};
    Ids d_kv =
        walk_back(walk, homing ? Ids{use(r.k), use(r.v)} : Ids{now_[r.k_last], now_[r.v_last]});
    for (const Axis axis : r.ring.axes)
      if (homing && b_.program().mesh().ranks(axis) > 1) d_kv = b_.shift(d_kv, axis, 1);
    give(r.q, b_.cast(walk.dq, r.dtype));
    give(r.k, b_.cast(d_kv[0], r.dtype));
    give(r.v, b_.cast(d_kv[1], r.dtype));
  }
  /// Gradients of keys and values from the turns of one axis and of those inside it.
  Ids walk_back(WalkBack& walk, Ids kv) {
    const Ring& ring = walk.ring.ring;
    if (walk.keys.size() == ring.axes.size()) return block_back(walk, kv);
    const Axis axis = ring.axes[walk.keys.size()];
    const int n = b_.program().mesh().ranks(axis), by = ring.homing ? 1 : -1;
    Ids d_kv;
    for (int turn = 0; turn < n; ++turn) {
      const Ids here = kv;
      if (turn > 0) d_kv = b_.shift(d_kv, axis, by);
      if (turn + 1 < n) kv = b_.shift(here, axis, by);
      walk.keys.push_back({axis, ring.homing ? turn : n - 1 - turn});
      const Ids d = walk_back(walk, here);
      walk.keys.pop_back();
      for (std::size_t i = 0; i < 2; ++i) {
        if (turn == 0)
          d_kv.push_back(b_.cast(d[i], ring.gradient));
        else
          d_kv[i] = b_.add(b_.value(d[i]).name, d_kv[i], d[i]);
      }
    }
    return d_kv;
  }
  Ids block_back(WalkBack& walk, const Ids& kv) {
    const Builder::RingRegion& r = walk.ring;
    const Ids d = b_.attend_grad({walk.q, kv[0], kv[1], now_[r.o], now_[r.lse], walk.dy},
                                 {r.how.mask, walk.keys, r.how.kernel});
    walk.dq = walk.dq == no_value ? b_.cast(d[0], DType::f32)
                                  : b_.add(b_.value(d[0]).name, walk.dq, d[0]);
    return {d[1], d[2]};
  }

  // ---- cotangents ----------------------------------------------------------------------------------------

  /// Turns a partial cotangent into one that lies as the value does.
  ValueId settle(ValueId v) {
    Type to = dual(b_.type(v));
    to.dtype = b_.type(cotangent_[v]).dtype;
    return cotangent_[v] = b_.move(cotangent_[v], to);
  }

  void give(ValueId v, ValueId d) {
    if (!needed_[v]) return;
    if (b_.value(v).role == Role::weight) b_.role(d, Role::weight_gradient);
    ValueId& mine = cotangent_[v];
    if (mine == no_value) {
      mine = d;
      return;
    }
    if (b_.type(mine) != b_.type(d)) {
      const ValueId first = settle(v);
      mine = d;
      d = settle(v);
      mine = first;
    }
    const ValueId sum = b_.add("d" + b_.value(v).name, mine, d);
    b_.role(sum, b_.value(mine).role);
    mine = sum;
  }

  /// A forward value for use in the backward: recomputed where asked, gathered again where it was gathered.
  ValueId use(ValueId v) {
    if (again_[v] != no_value) return again_[v];
    if (maker_[v] == no_value || std::ranges::count(b_.kept(), v) > 0) return now_[v];
    const Step& step = forward_[maker_[v]];
    if (o_.recompute.selects(b_.program(), step)) return repeat_one(step);
    const bool gathers =
        std::holds_alternative<Move>(step.op) &&
        traffic_of(b_.type(step.in[0]), b_.type(v), b_.program().mesh()).wire == Wire::all_gather;
    if (!gathers) return now_[v];
    const Type to = b_.type(v);
    return again_[v] = b_.move(use(step.in[0]), to);
  }

  ValueId repeat_one(const Step& step) {
    Ids in;
    for (const ValueId v : step.in) in.push_back(use(v));
    b_.phase(Phase::recompute);
    const ValueId again = b_.repeat(step, in)[0];
    b_.phase(Phase::backward);
    return again_[step.out[0]] = again;
  }

  Builder& b_;
  const BackwardOptions& o_;
  const std::size_t first_;
  const std::vector<Step> forward_;
  std::vector<ValueId> cotangent_;  ///< by forward value
  std::vector<ValueId> now_;        ///< the forward value itself, or its recomputation
  std::vector<ValueId> again_;      ///< gathered again
  std::vector<ValueId> maker_;      ///< index of the step that made it
  struct HeldResults {
    std::size_t until;  ///< the step that begins the region
    Ids values;
  };
  std::vector<HeldResults> held_;
  std::vector<bool> needed_;           ///< by forward value
  std::vector<int> readers_;           ///< forward steps that read it
  std::vector<ValueId> first_reader_;  ///< index of the first of them
};

}  // namespace

std::vector<ValueId> differentiate(Builder& builder, StepRange range, const Seeds& seeds,
                                   const std::vector<ValueId>& wanted,
                                   const BackwardOptions& options) {
  return Differentiator(builder, range, options).run(seeds, wanted);
}

}  // namespace ithaca
