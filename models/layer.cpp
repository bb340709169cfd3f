#include "models/layer.h"

#include "models/backward.h"
#include "models/error.h"

#include <fmt/format.h>
#include <utility>

namespace ithaca {
namespace {

using enum DimName;

class Writer {
 public:
  Writer(const LayerShape& shape, const Strategy& strategy, const Mesh& mesh,
         const LayerOptions& options)
      : n_(shape), s_(strategy), o_(options), b_(mesh) {}

  Layer write() && {
    Layer layer;
    const ValueId x =
        b_.input("x", laid(type({dim(b), dim(L), dim(d)}), s_.residual), Role::activation);
    if (o_.recompute)
      b_.begin_recompute(s_.attention.weights.serve_backward && s_.mlp.weights.serve_backward);
    const ValueId attn = attention(x);
    const ValueId r = n_.parallel_residual ? x : b_.add("r", x, attn);
    const ValueId both = n_.parallel_residual ? b_.add("r", x, attn) : r;
    const ValueId y = b_.add("y", both, mlp(r));
    if (o_.recompute) b_.end_recompute();
    layer.x = x;
    layer.y = y;
    layer.dx = layer.dy = no_value;
    for (const ValueId w : stored_) layer.weights.push_back({w, no_value});
    b_.output(y);
    if (o_.backward) differentiate_into(layer);
    layer.program = std::move(b_).build();
    return layer;
  }

 private:
  Dim dim(DimName name) const {
    switch (name) {
      case b:
        return {name, n_.b, {}};
      case L:
        return {name, n_.L, {}};
      case d:
        return {name, n_.d, {}};
      case k:
        return {name, n_.k, {}};
      case g:
        return {name, n_.g, {}};
      case e:
        return {name, n_.e, {}};
      case i:
        return {name, n_.i, {}};
      case m:
        return {name, 2, {}};
      case p:
        return {name, n_.g + 2, {}};
    }
    return {};
  }
  Type type(std::initializer_list<Dim> dims) const { return {o_.dtype, dims, {}, {}}; }

  /// A matrix as it is used; at rest it may be a flat shard.
  ValueId matrix(const char* name, std::initializer_list<Dim> dims, const WeightRow& row) {
    Type stored = laid(type(dims), row.cut);
    const Type used = stored;
    stored.flat = row.flat;
    stored_.push_back(b_.input(name, stored, Role::weight));
    return b_.move(stored_.back(), used);
  }
  /// A gain or bias: small, never sharded flat.
  ValueId row(const char* name, std::initializer_list<Dim> dims, const Layout& cut = {}) {
    stored_.push_back(b_.input(name, laid(type(dims), cut), Role::weight));
    return stored_.back();
  }
  ValueId norm(const char* name, ValueId x, const char* gain, const char* shift, DimName over_dim) {
    Ids in{x, row(gain, {dim(over_dim)})};
    const bool layer_norm = n_.norm == Norm::layer && over_dim == d;
    if (layer_norm) in.push_back(row(shift, {dim(over_dim)}));
    return b_.normalize(name, layer_norm ? Norm::layer : Norm::rms, in);
  }

  ValueId attention(ValueId x) {
    const AttentionTable& t = s_.attention;
    const ValueId x1 = b_.move(norm("x1", x, "norm1", "norm1_shift", d), t.in);
    Ids qkv = n_.fused_qkv ? packed_qkv(x1) : separate_qkv(x1);
    if (n_.qk_norm) {
      qkv[0] = norm("q", qkv[0], "q_norm", "", e);
      qkv[1] = norm("k", qkv[1], "k_norm", "", e);
    }
    for (std::size_t j = 0; n_.rope && j < 2; ++j)
      qkv[j] = b_.rope(j == 0 ? "q" : "k", qkv[j], n_.rope_theta);
    const ValueId q = b_.move(qkv[0], t.q), key = b_.move(qkv[1], t.kv), v = b_.move(qkv[2], t.kv);
    if (t.keep_kv) {
      b_.keep(key);
      b_.keep(v);
    }
    const Ids o_lse = t.ring ? b_.attend_ring(q, key, v, *t.ring, n_.mask)
                             : b_.attend(q, key, v, {n_.mask, {}, -1});
    const ValueId o = b_.move(o_lse[0], t.context);
    const ValueId wo = matrix("wo", {dim(k), dim(g), dim(e), dim(d)}, t.weights);
    return leave("attn", b_.einsum("attn", o, wo, {b, L, d}), n_.o_bias ? "bo" : nullptr,
                 "norm1_post");
  }

  Ids packed_qkv(ValueId x1) {
    const WeightRow& w = s_.attention.weights;
    ValueId qkv =
        b_.einsum("qkv", x1, matrix("wqkv", {dim(d), dim(k), dim(p), dim(e)}, w), {b, L, k, p, e});
    if (n_.qkv_bias) qkv = b_.bias("qkv", qkv, row("bqkv", {dim(k), dim(p), dim(e)}, w.cut));
    return b_.split_qkv(qkv, n_.g);
  }

  Ids separate_qkv(ValueId x1) {
    const WeightRow& w = s_.attention.weights;
    Ids qkv{b_.einsum("q", x1, matrix("wq", {dim(d), dim(k), dim(g), dim(e)}, w), {b, L, k, g, e}),
            b_.einsum("k", x1, matrix("wk", {dim(d), dim(k), dim(e)}, w), {b, L, k, e}),
            b_.einsum("v", x1, matrix("wv", {dim(d), dim(k), dim(e)}, w), {b, L, k, e})};
    if (!n_.qkv_bias) return qkv;
    qkv[0] = b_.bias("q", qkv[0], row("bq", {dim(k), dim(g), dim(e)}, w.cut));
    qkv[1] = b_.bias("k", qkv[1], row("bk", {dim(k), dim(e)}, w.cut));
    qkv[2] = b_.bias("v", qkv[2], row("bv", {dim(k), dim(e)}, w.cut));
    return qkv;
  }

  ValueId mlp(ValueId r) {
    const MlpTable& t = s_.mlp;
    const ValueId x2 = b_.move(norm("x2", r, "norm2", "norm2_shift", d), t.in);
    const bool gated = n_.gates() == 2;
    const ValueId w_up = gated ? matrix("w_up", {dim(d), dim(m), dim(i)}, t.weights)
                               : matrix("w_up", {dim(d), dim(i)}, t.weights);
    ValueId up =
        gated ? b_.einsum("up", x2, w_up, {b, L, m, i}) : b_.einsum("up", x2, w_up, {b, L, i});
    if (n_.mlp_bias)
      up = b_.bias("up", up,
                   gated ? row("b_up", {dim(m), dim(i)}, t.weights.cut)
                         : row("b_up", {dim(i)}, t.weights.cut));
    const ValueId act = b_.activate("act", n_.act, up);
    const ValueId w_down = matrix("w_down", {dim(i), dim(d)}, t.weights);
    return leave("mlp", b_.einsum("mlp", act, w_down, {b, L, d}), n_.mlp_bias ? "b_down" : nullptr,
                 "norm2_post");
  }

  /// From a half back to the residual stream.
  ValueId leave(const char* name, ValueId v, const char* bias, const char* post_norm) {
    v = b_.move(v, s_.residual);
    if (bias != nullptr) v = b_.bias(name, v, row(bias, {dim(d)}));
    const std::string shift = std::string(post_norm) + "_shift";
    return n_.post_norms ? norm(name, v, post_norm, shift.c_str(), d) : v;
  }

  void differentiate_into(Layer& layer) {
    layer.dy = b_.input("dy", b_.type(layer.y), Role::gradient);
    std::vector<ValueId> wanted{layer.x};
    for (const LayerWeight& w : layer.weights) wanted.push_back(w.stored);
    const std::vector<ValueId> d_wanted =
        differentiate(b_, layer.y, layer.dy, wanted, s_.save_gathered);
    layer.dx = d_wanted[0];
    b_.output(layer.dx);
    for (std::size_t j = 0; j < layer.weights.size(); ++j)
      b_.output(layer.weights[j].grad = d_wanted[j + 1]);
  }

  const LayerShape& n_;
  const Strategy& s_;
  const LayerOptions& o_;
  Builder b_;
  std::vector<ValueId> stored_;
};

/// Sizes are at least one, and what one rank would compute can be counted in 64 bits.
void check_sizes(const LayerShape& n, const Mesh& mesh) {
  for (const auto& [name, size] :
       {std::pair{b, n.b}, {L, n.L}, {d, n.d}, {k, n.k}, {g, n.g}, {e, n.e}, {i, n.i}})
    if (size < 1)
      throw TypeError("shape", fmt::format("{}: expected at least 1, got {}", name_of(name), size));
  const auto tokens = static_cast<double>(n.b) * static_cast<double>(n.L),
             c = static_cast<double>(n.k) * static_cast<double>(n.e);
  const auto a = c * static_cast<double>(n.g), hidden = static_cast<double>(n.d);
  const double weights = 2 * hidden * (a + c) + 3 * hidden * static_cast<double>(n.i);
  const double operations = tokens * (8 * weights + 18 * a * static_cast<double>(n.L));
  if (const double each = operations / mesh.ranks(); each >= 0x1p63)
    throw TypeError(
        "shape",
        fmt::format("expected a layer of fewer than 2^63 operations a rank, got {:.3g}, use "
                    "fewer tokens",
                    each));
}

/// Axes of one rank lay nothing out: without them a strategy on one GPU is no strategy.
Layout real(const Layout& layout, const Mesh& mesh) {
  Layout kept;
  for (const Placement& p : layout)
    if (mesh.ranks(p.cut.axis) > 1) kept.push_back(p);
  return kept;
}

WeightRow real(const WeightRow& row, const Mesh& mesh) {
  WeightRow kept{real(row.cut, mesh), {}, row.serve_backward};
  for (const Axis axis : row.flat)
    if (mesh.ranks(axis) > 1) kept.flat.push_back(axis);
  return kept;
}

Strategy real(const Strategy& s, const Mesh& mesh) {
  const AttentionTable& t = s.attention;
  const bool walks = t.ring && mesh.ranks(t.ring->axis) > 1;
  return {real(s.residual, mesh),
          {real(t.in, mesh), real(t.q, mesh), real(t.kv, mesh), real(t.context, mesh),
           real(t.weights, mesh), walks ? t.ring : std::nullopt, t.keep_kv},
          {real(s.mlp.in, mesh), real(s.mlp.weights, mesh)},
          s.save_gathered};
}

}  // namespace

Layer layer_program(const LayerShape& shape, const Strategy& strategy, const Mesh& mesh,
                    const LayerOptions& options) {
  check_sizes(shape, mesh);
  const Strategy real_strategy = real(strategy, mesh);
  return Writer(shape, real_strategy, mesh, options).write();
}

Program settle_program(const Layer& layer) {
  Builder b(layer.program.mesh());
  b.phase(Phase::update);
  for (const LayerWeight& w : layer.weights) {
    const Value& grad = layer.program[w.grad];
    Type to = layer.program.type(w.stored);
    to.dtype = grad.type.dtype;
    b.output(b.move(b.input(grad.name, grad.type, Role::weight_gradient), to));
  }
  return std::move(b).build();
}

std::int64_t parameters(const Layer& layer) {
  std::int64_t n = 0;
  for (const LayerWeight& w : layer.weights) n += global_elements(layer.program.type(w.stored));
  return n;
}

}  // namespace ithaca
