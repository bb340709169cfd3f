#include "models/layer_writer.h"

#include "models/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace ithaca {
namespace {

using enum DimName;

class LayerWriter {
 public:
  LayerWriter(Builder& builder, Weights& weights, const LayerPlan& plan)
      : n_(plan.shape), s_(plan.strategy), o_(plan.options), b_(builder), w_(weights) {}

  ValueId write(ValueId x) {
    if (o_.recompute.full)
      b_.begin_recompute(s_.attention.weights.serve_backward && s_.mlp.weights.serve_backward);
    const ValueId attn = attention(x);
    const ValueId r = n_.parallel_residual ? x : b_.add("r", x, attn);
    const ValueId both = n_.parallel_residual ? b_.add("r", x, attn) : r;
    const ValueId y = b_.add("y", both, mlp(r));
    if (o_.recompute.full) b_.end_recompute();
    return y;
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
      case R:
        return {name, o_.adapter_rank, {}};
      case v:
        break;
    }
    require(false, "a layer has no such dim");
    return {};
  }
  /// A matrix and, when adapters are trained, its low-rank pair.
  struct Linear {
    ValueId matrix = no_value, down = no_value, up = no_value;
  };
  Linear linear(const std::string& name, Dims in, const Dims& out, const WeightRow& row) {
    Dims in_out = in, rank_out{dim(R)};
    in_out.insert(in_out.end(), out.begin(), out.end());
    Linear made{w_.matrix(name, in_out, row)};
    if (o_.adapter_rank == 0) return made;
    in.push_back(dim(R));
    rank_out.insert(rank_out.end(), out.begin(), out.end());
    made.down = w_.adapter(name + "_a", in, row);
    made.up = w_.adapter(name + "_b", rank_out, row);
    return made;
  }
  ValueId product(const char* name, ValueId x, const Linear& w,
                  std::initializer_list<DimName> order) {
    const ValueId y = b_.einsum(name, x, w.matrix, order);
    if (w.down == no_value) return y;
    const ValueId low = b_.einsum("low", x, w.down, {b, L, R});
    return b_.add(name, y, b_.einsum(name, low, w.up, order));
  }

  /// Where the gain and shift of a norm are named and kept.
  struct Gain {
    const char *gain, *shift;
    DimName over;
    const WeightRow& row;
  };
  ValueId norm(const char* name, ValueId x, const Gain& g) {
    Ids in{x, w_.row(g.gain, {dim(g.over)}, uncut(g.row))};
    if (o_.kernels.norm_elements > 0) check_indexed(name, x);
    const bool layer_norm = n_.norm == Norm::layer && g.over == d;
    if (o_.kernels.norm_copies && !layer_norm) return norm_by_steps(name, x, in[1]);
    if (layer_norm) in.push_back(w_.row(g.shift, {dim(g.over)}, uncut(g.row)));
    if (o_.kernels.norm_widens) in[0] = b_.cast(x, DType::f32);
    return b_.normalize(name, layer_norm ? Norm::layer : Norm::rms, in);
  }
  ValueId norm_by_steps(const char* name, ValueId x, ValueId gain) {
    const ValueId wide = b_.cast(x, DType::f32);
    const ValueId unit = b_.cast(b_.normalize(name, Norm::rms, {wide}), b_.type(x).dtype);
    return b_.multiply(name, unit, gain);
  }
  void check_indexed(const char* name, ValueId x) const {
    const std::int64_t elements = local_elements(b_.type(x), b_.program().mesh());
    if (elements > o_.kernels.norm_elements)
      throw TypeError(name,
                      fmt::format("expected at most {} elements on a rank, which the norm of this "
                                  "implementation indexes, got {}, use more ranks",
                                  o_.kernels.norm_elements, elements));
  }
  static WeightRow uncut(WeightRow row) {
    row.cut.clear();
    return row;
  }

  ValueId attention(ValueId x) {
    const AttentionTable& t = s_.attention;
    const ValueId x1 = b_.move(norm("x1", x, {"norm1", "norm1_shift", d, t.weights}), t.in);
    Ids qkv = n_.fused_qkv ? packed_qkv(x1) : separate_qkv(x1);
    const Ids projected = qkv;
    if (n_.qk_norm) {
      qkv[0] = norm("q", qkv[0], {"q_norm", "", e, t.weights});
      qkv[1] = norm("k", qkv[1], {"k_norm", "", e, t.weights});
    }
    if (n_.rope) rotate(qkv);
    if (n_.fused_qkv && o_.kernels.packed_views)
      for (std::size_t j = 0; j < 2; ++j) b_.hold(projected[j], projected[2]);
    const ValueId o = write_attention(b_, qkv, {n_, s_, o_});
    const Linear wo = linear("wo", {dim(k), dim(g), dim(e)}, {dim(d)}, t.weights);
    const ValueId attn = product("attn", o, wo, {b, L, d});
    return leave(attn, n_.o_bias ? "bo" : nullptr,
                 {"norm1_post", "norm1_post_shift", d, t.weights});
  }

  void rotate(Ids& qkv) {
    const ValueId table =
        o_.kernels.rotation_tables ? b_.rotation_table(qkv[0], n_.rope_theta) : no_value;
    for (std::size_t j = 0; j < 2; ++j) {
      Ids in{qkv[j]};
      if (table != no_value) in.push_back(table);
      qkv[j] = b_.rope(j == 0 ? "q" : "k", in, {n_.rope_theta, false});
    }
  }

  Ids packed_qkv(ValueId x1) {
    const WeightRow& w = s_.attention.weights;
    const Linear wqkv = linear("wqkv", {dim(d)}, {dim(k), dim(p), dim(e)}, w);
    ValueId qkv = product("qkv", x1, wqkv, {b, L, k, p, e});
    if (n_.qkv_bias) qkv = b_.bias("qkv", qkv, w_.row("bqkv", {dim(k), dim(p), dim(e)}, w));
    return b_.split_qkv(qkv, n_.g);
  }

  Ids separate_qkv(ValueId x1) {
    const WeightRow& w = s_.attention.weights;
    const auto project = [&](const char* name, const char* matrix, const Dims& out,
                             std::initializer_list<DimName> order) {
      return product(name, x1, linear(matrix, {dim(d)}, out, w), order);
    };
    Ids qkv{project("q", "wq", {dim(k), dim(g), dim(e)}, {b, L, k, g, e}),
            project("k", "wk", {dim(k), dim(e)}, {b, L, k, e}),
            project("v", "wv", {dim(k), dim(e)}, {b, L, k, e})};
    if (!n_.qkv_bias) return qkv;
    qkv[0] = b_.bias("q", qkv[0], w_.row("bq", {dim(k), dim(g), dim(e)}, w));
    qkv[1] = b_.bias("k", qkv[1], w_.row("bk", {dim(k), dim(e)}, w));
    qkv[2] = b_.bias("v", qkv[2], w_.row("bv", {dim(k), dim(e)}, w));
    return qkv;
  }

  ValueId mlp(ValueId r) {
    const MlpTable& t = s_.mlp;
    const ValueId x2 = b_.move(norm("x2", r, {"norm2", "norm2_shift", d, t.weights}), t.in);
    const std::int64_t tokens = local_size(*b_.type(x2).find(L), b_.program().mesh());
    const std::int64_t tiles = std::min(o_.mlp_tiles, tokens);
    const ValueId y = tiles > 1 ? tiled_mlp(x2, tokens, tiles) : products(x2, {});
    return leave(y, n_.mlp_bias ? "b_down" : nullptr,
                 {"norm2_post", "norm2_post_shift", d, t.weights});
  }

  /// Weights of the MLP, made when first asked for, so that each is gathered where it is used.  Gate and up are one
  /// matrix, or two.
  struct MlpWeights {
    Linear gate, up, down;
    ValueId gate_bias = no_value, bias = no_value;
  };
  bool packs_gate() const { return n_.gates() == 2 && !o_.kernels.gate_apart; }
  bool has_gate_apart() const { return n_.gates() == 2 && o_.kernels.gate_apart; }
  void need_up(MlpWeights& w) {
    if (w.up.matrix != no_value) return;
    const WeightRow& row = s_.mlp.weights;
    if (has_gate_apart()) {
      w.gate = linear("w_gate", {dim(d)}, {dim(i)}, row);
      if (n_.mlp_bias) w.gate_bias = w_.row("b_gate", {dim(i)}, row);
    }
    const bool gated = packs_gate();
    w.up = linear("w_up", {dim(d)}, gated ? Dims{dim(m), dim(i)} : Dims{dim(i)}, row);
    if (n_.mlp_bias)
      w.bias = gated ? w_.row("b_up", {dim(m), dim(i)}, row) : w_.row("b_up", {dim(i)}, row);
  }
  void need_down(MlpWeights& w) {
    if (w.down.matrix == no_value) w.down = linear("w_down", {dim(i)}, {dim(d)}, s_.mlp.weights);
  }

  ValueId products(ValueId x2, MlpWeights w) {
    need_up(w);
    ValueId up =
        packs_gate() ? product("up", x2, w.up, {b, L, m, i}) : product("up", x2, w.up, {b, L, i});
    if (n_.mlp_bias) up = b_.bias("up", up, w.bias);
    const ValueId act = has_gate_apart() ? gated(x2, w, up) : b_.activate("act", n_.act, up);
    need_down(w);
    return product("mlp", act, w.down, {b, L, d});
  }

  ValueId gated(ValueId x2, const MlpWeights& w, ValueId up) {
    ValueId gate = product("gate", x2, w.gate, {b, L, i});
    if (n_.mlp_bias) gate = b_.bias("gate", gate, w.gate_bias);
    const Act kind = n_.act == Act::swiglu ? Act::silu : Act::gelu;
    return b_.multiply("act", b_.activate("gate", kind, gate), up);
  }

  /// Tile by tile, each computed again for its gradient: only one tile's inner activations ever live.
  ValueId tiled_mlp(ValueId x2, std::int64_t tokens, std::int64_t tiles) {
    MlpWeights w;
    need_up(w);
    need_down(w);
    ValueId whole = no_value;
    for (const Tile& tile : tiles_of(tokens, tiles, o_.unrolled)) {
      b_.tiles(tile.times);
      b_.begin_recompute(true);
      const ValueId y = products(b_.slice(x2, {L, tile.begin, tile.count}), w);
      b_.end_recompute();
      Type of = b_.type(y);
      *std::ranges::find(of.dims, L, &Dim::name) = *b_.type(x2).find(L);
      whole = b_.put(whole, y, {L, tile.begin, tile.count}, of);
    }
    b_.tiles(1);
    return whole;
  }

  /// From a half back to the residual stream.
  ValueId leave(ValueId v, const char* bias, const Gain& post_norm) {
    const std::string name = b_.value(v).name;
    v = b_.move(v, s_.residual);
    if (bias != nullptr) v = b_.bias(name, v, w_.row(bias, {dim(d)}, uncut(post_norm.row)));
    return n_.post_norms ? norm(name.c_str(), v, post_norm) : v;
  }

  const LayerShape& n_;
  const Strategy& s_;
  const LayerOptions& o_;
  Builder& b_;
  Weights& w_;
};

Axis axis_of(const Placement& p) {
  return p.cut.axis;
}
Axis axis_of(Axis axis) {
  return axis;
}

template <class List>  // of placements or axes
List real(List list, const Mesh& mesh) {
  const auto single = [&](const auto& each) { return mesh.ranks(axis_of(each)) == 1; };
  list.erase(std::ranges::remove_if(list, single).begin(), list.end());
  return list;
}

WeightRow real(WeightRow row, const Mesh& mesh) {
  row.cut = real(row.cut, mesh);
  row.flat = real(row.flat, mesh);
  row.state = real(row.state, mesh);
  row.scatter = real(row.scatter, mesh);
  return row;
}

std::optional<Ring> real(std::optional<Ring> ring, const Mesh& mesh) {
  if (ring) ring->axes = real(ring->axes, mesh);
  return ring && !ring->axes.empty() ? ring : std::nullopt;
}

MlpTable real(const MlpTable& table, const Mesh& mesh) {
  return {real(table.in, mesh), real(table.weights, mesh)};
}

}  // namespace

std::vector<Tile> tiles_of(std::int64_t tokens, std::int64_t tiles, bool unrolled) {
  const std::int64_t most = (tokens + tiles - 1) / tiles;
  std::vector<Tile> all;
  for (std::int64_t begin = 0; begin < tokens; begin += most)
    all.push_back({begin, std::min(most, tokens - begin), 1});
  if (unrolled || all.size() <= 3) return all;
  return {all[0], {all[1].begin, most, static_cast<std::int64_t>(all.size()) - 2}, all.back()};
}

ValueId Weights::keep(const std::string& name, const Type& stored, const WeightRow& row) {
  all_.push_back({prefix_ + name, b_.input(name, stored, Role::weight), no_value, no_value, layer_,
                  times_, trains_, row});
  return all_.back().stored;
}

ValueId Weights::matrix(const std::string& name, const Dims& dims, const WeightRow& row) {
  const Type used = laid({dtype_, dims, {}, {}}, row.cut);
  Type stored = used;
  stored.flat = row.flat;
  const ValueId whole = b_.move(keep(name, stored, row), used);
  if (row.keep) b_.keep(whole);
  return whole;
}

ValueId Weights::adapter(const std::string& name, const Dims& dims, const WeightRow& row) {
  const bool others = std::exchange(trains_, true);
  const ValueId v = matrix(name, dims, row);
  trains_ = others;
  return v;
}

ValueId Weights::row(const std::string& name, const Dims& dims, const WeightRow& row) {
  WeightRow small = row;
  small.flat.clear();
  return keep(name, laid({dtype_, dims, {}, {}}, row.cut), small);
}

ValueId write_attention(Builder& b, const Ids& qkv, const LayerPlan& plan) {
  const AttentionTable& t = plan.strategy.attention;
  const ValueId q = b.move(qkv[0], t.q), key = b.move(qkv[1], t.kv), v = b.move(qkv[2], t.kv);
  if (t.keep_kv) {
    b.keep(key);
    b.keep(v);
  }
  const Attend how{plan.shape.mask, {}, plan.options.kernels.attention};
  const Ids o_lse = t.ring ? b.attend_ring(q, key, v, *t.ring, how) : b.attend(q, key, v, how);
  return b.move(o_lse[0], t.context);
}

ValueId write_layer(Builder& builder, Weights& weights, ValueId x, const LayerPlan& plan) {
  return LayerWriter(builder, weights, plan).write(x);
}

Strategy real(const Strategy& s, const Mesh& mesh) {
  const AttentionTable& t = s.attention;
  return {real(s.residual, mesh),
          {real(t.in, mesh), real(t.q, mesh), real(t.kv, mesh), real(t.context, mesh),
           real(t.weights, mesh), real(t.ring, mesh), t.keep_kv},
          real(s.mlp, mesh),
          s.ends ? std::optional(real(*s.ends, mesh)) : std::nullopt};
}

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

}  // namespace ithaca
