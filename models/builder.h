// models/builder.h -- writes a Program step by step; every type rule is here.
//
// Each function checks its operands, infers the type of the result and throws TypeError, which names the step,
// the value, its type and a remedy.
#pragma once

#include "models/program.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ithaca {

/// Where a value shall lie: dim by dim the axes that shard it, major first.  An entry whose dim the value lacks
/// is passed over, so one layout serves q and k alike.
struct Placement {
  DimName dim;
  Cut cut;
  bool operator==(const Placement&) const = default;
};
using Layout = boost::container::static_vector<Placement, 8>;
Layout operator+(Layout, const Layout&);
/// `t` lying as the layout says.  Tokens are cut from the outside in and heads from the inside out: tensor
/// parallelism, innermost, owns its heads before Ulysses around it exchanges tokens for a share of them.
Type laid(Type t, const Layout&);

/// Ring attention: keys and values walk around the axes, outer first; gradients of them walk with them.  In each turn of
/// an outer axis the blocks held at its start walk the axes inside it, while they are on their way to the next rank along
/// the outer one.  Gradients of a turn gather along the inner axes and at its end join those of the turns before, which
/// came along the outer axis meanwhile: on axes of n and m ranks n (m-1) inner and n-1 outer hops, nm-1 in all, as of
/// keys and values.
/// homing: dKV comes home by one hop more along each axis: a full turn of N hops on one (ring-flash-attention), on two
/// as BurstEngine has it; otherwise the backward walks in reverse from the block received last and ends at home
/// (TransformerEngine).
struct Ring {
  AxisList axes;
  bool homing = false;
  DType gradient = DType::bf16;  ///< of dKV on the wire
  bool operator==(const Ring&) const = default;
};

class Builder {
 public:
  explicit Builder(Mesh);

  ValueId input(std::string name, const Type&, Role);
  /// y has `dims`, in that order.  Dims of both operands that are not in y are contracted.  Restricted to what
  /// folds into one matrix product: in each operand the kept and the contracted dims are contiguous.
  ValueId einsum(std::string name, ValueId a, ValueId b, std::initializer_list<DimName> dims);
  ValueId einsum(std::string name, ValueId a, ValueId b, const Dims& order);
  ValueId add(std::string name, ValueId a, ValueId b);
  /// sum + y.  An einsum whose result y nothing has read yet adds it itself.
  ValueId add_product(std::string name, ValueId sum, ValueId y, const Einsum& how = {});
  ValueId bias(std::string name, ValueId x, ValueId bias);
  ValueId bias_grad(ValueId dy, ValueId bias);
  /// Broadcast over the leading dims the factor lacks.
  ValueId multiply(std::string name, ValueId x, ValueId factor);
  ValueId multiply_grad(ValueId dy, ValueId x, ValueId factor);
  ValueId normalize(std::string name, Norm, const Ids& x_gain_shift);
  /// dx, dgain [, dshift]; partial where dy is.
  Ids normalize_grad(Norm, ValueId dy, const Ids& x_gain_shift);
  ValueId activate(std::string name, Act, ValueId up);
  ValueId activate_grad(Act, ValueId dy, ValueId up);
  ValueId rope(std::string name, const Ids& x_table, const Rope& how);
  /// For tokens and heads as they lie in x.
  ValueId rotation_table(ValueId x, double theta);
  Ids split_qkv(ValueId packed, std::int64_t g);
  ValueId join_qkv(ValueId dq, ValueId dk, ValueId dv);
  /// o and lse.
  Ids attend(ValueId q, ValueId k, ValueId v, const Attend& how);
  /// dq, dk, dv.  dk and dv are partial over the axes that shard q but not k.
  Ids attend_grad(const Ids& q_k_v_o_lse_do, const AttendGrad& how);
  Ids merge(const Ids& o_lse_o2_lse2);
  ValueId cast(ValueId x, DType);
  /// The value as `to` says; x itself when it already lies so.  One collective, or two when a sum is scattered over
  /// some axes and copied over others.
  ValueId move(ValueId x, const Type& to);
  ValueId move(ValueId x, const Layout& to) { return move(x, laid(type(x), to)); }
  Ids shift(const Ids& values, Axis axis, int by);
  /// `count` local elements of `dim` from `begin`, on every rank: tokens keep no positions.
  ValueId slice(ValueId x, const Slice& run);
  /// `tile` in its place in `whole`; no_value: in a new value of the type `of`.
  ValueId put(ValueId whole, ValueId tile, const Put& run, const Type& of);
  ValueId copy(ValueId x, bool to_host);

  ValueId embed(std::string name, ValueId tokens, ValueId table);
  ValueId embed_grad(ValueId dx, ValueId tokens, ValueId table);
  /// Cross entropy, summed over the tokens of all ranks that split them: partial over their axes.
  /// `keeps_normalized`: by way of the log-softmax, a tensor as large as the logits.
  ValueId token_loss(ValueId logits, ValueId labels, std::int64_t vocabulary,
                     bool keeps_normalized = false);
  ValueId token_loss_grad(const Ids& dloss_logits_labels_max_sumexp, std::int64_t vocabulary);
  ValueId squared_norm(ValueId x);
  ValueId clip_factor(ValueId squared_norm, double max_norm);
  /// weight, m, v after the step.
  Ids adam(const Ids& weight_m_v_gradient_t_factor, const Adam&);
  /// A whole ring attention as a region with its own backward: o and lse.
  Ids attend_ring(ValueId q, ValueId k, ValueId v, const Ring&, const Attend& = {});

  /// Steps between begin and end are computed again before their gradient; what they read is kept, what they
  /// make is not.  `keep_gathered`: weights the recomputation gathers serve the gradient too.
  void begin_recompute(bool keep_gathered);
  void end_recompute();

  /// A gathered value that the backward uses as it is instead of gathering it again.
  void keep(ValueId v) { kept_.push_back(v); }
  const std::vector<ValueId>& kept() const { return kept_; }

  /// `value` is freed no sooner than `with`.
  void hold(ValueId value, ValueId with) { program_.holds_.push_back({value, with}); }

  void phase(Phase p) { phase_ = p; }
  /// What is written next belongs to this layer, which stands for `times` equal ones, and to a tile
  /// that stands for `tiles`.
  void layer(int index, std::int64_t times, std::int64_t tiles = 1) {
    layer_ = static_cast<std::int16_t>(index);
    times_ = times;
    tiles_ = tiles;
  }
  void tiles(std::int64_t n) { tiles_ = n; }
  void role(ValueId v, Role r) { program_.values_[v].role = r; }
  void place_on_host(ValueId v) { program_.values_[v].on_host = true; }
  void output(ValueId v) { program_.outputs_.push_back(v); }
  const Program& program() const { return program_; }
  const Type& type(ValueId v) const { return program_.values_[v].type; }
  const Value& value(ValueId v) const { return program_.values_[v]; }
  Program build() &&;

  struct RingRegion {
    std::size_t first, last;  ///< steps [first, last)
    Ring ring;
    Attend how;
    ValueId q, k, v, k_last, v_last, o, lse;
    DType dtype;
  };
  struct RecomputeRegion {
    std::size_t first, last;
    bool keep_gathered;
  };
  const std::vector<RingRegion>& rings() const { return rings_; }
  const std::vector<RecomputeRegion>& recomputed() const { return recomputed_; }
  /// Appends a step whose types are known to be right: the same step on other values of the same types.
  Ids repeat(const Step&, const Ids& in);
  /// A step of another program on the same axes, or on none.
  Ids repeat(const Program& from, const Step&, const Ids& in);

 private:
  ValueId add_value(std::string name, const Type&, Role);
  ValueId push(const Op&, const Ids& in, std::string name, const Type&);
  Ids push(const Op&, const Ids& in, std::initializer_list<std::pair<std::string, Type>> out);
  void append(const Op&, const Ids& in, const Ids& out);
  Role role_of_result() const;
  void check_divides(const Value&) const;
  void need_settled(std::string_view step, const Ids&) const;
  void need_whole(std::string_view step, ValueId, const Dim&) const;
  void check_attention(std::string_view step, const Ids& q_k_v, const Attend& how) const;
  void check_ring(const Ids& q_k_v, const Ring&) const;
  [[noreturn]] void refuse(std::string_view step, ValueId, std::string_view why) const;

  Program program_;
  Phase phase_ = Phase::forward;
  std::int16_t layer_ = -1;
  std::int64_t times_ = 1, tiles_ = 1;
  std::vector<RingRegion> rings_;
  std::vector<RecomputeRegion> recomputed_;
  std::vector<std::size_t> open_;  ///< regions that have not ended, the innermost last
  std::vector<ValueId> kept_;
};

}  // namespace ithaca
