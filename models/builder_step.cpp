// What a whole training step has beside layers: tiles, copies to the host, the ends of the network, the update.
#include "models/builder.h"
#include "models/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

Dim& dim_of(Type& t, DimName name) {
  return *std::ranges::find(t.dims, name, &Dim::name);
}

/// [b L] of a value [b L ...], in f32.
Type tokens_of(const Type& t) {
  return {DType::f32, {*t.find(DimName::b), *t.find(DimName::L)}, {}, {}};
}

/// Axes of the cuts of the dims `names`, ordered by axis.
AxisList cut_axes(const Type& t, std::initializer_list<DimName> names) {
  AxisList axes;
  for (const DimName name : names)
    if (const Dim* const dim = t.find(name))
      for (const Cut& cut : dim->over) axes.push_back(cut.axis);
  std::ranges::sort(axes);
  return axes;
}

}  // namespace

ValueId Builder::slice(ValueId x, const Slice& run) {
  Type t = type(x);
  require(t.flat.empty(), "a flat shard has no dims to slice");
  Dim& dim = dim_of(t, run.dim);
  const std::int64_t part = local_size(dim, program_.mesh_) / run.parts;
  require(run.begin >= 0 && run.count > 0 && run.begin + run.count <= part,
          "a slice lies outside its dim");
  dim.size = run.count * run.parts * ways(dim, program_.mesh_);
  for (Cut& cut : dim.over) cut.deal = Deal::blocks;
  const Value whole = value(x);
  const ValueId v = push(run, {x}, whole.name, t);
  role(v, whole.role);
  return v;
}

ValueId Builder::put(ValueId whole, ValueId tile, const Put& run, const Type& of) {
  const Value part = value(tile);
  const ValueId v = push(run, whole == no_value ? Ids{tile} : Ids{whole, tile}, part.name, of);
  role(v, part.role);
  return v;
}

ValueId Builder::copy(ValueId x, bool to_host) {
  const Value from = value(x);
  const ValueId v = push(Copy{to_host}, {x}, from.name, from.type);
  program_.values_[v].role = from.role;
  program_.values_[v].on_host = to_host;
  return v;
}

ValueId Builder::embed(std::string name, ValueId tokens, ValueId table) {
  need_settled(name, {tokens, table});
  const Type &ids = type(tokens), &rows = type(table);
  need_whole(name, table, rows.dims[1]);
  Type x{rows.dtype, ids.dims, {}, cut_axes(rows, {DimName::v})};
  x.dims.push_back(rows.dims[1]);
  return push(Embed{}, {tokens, table}, std::move(name), x);
}

ValueId Builder::embed_grad(ValueId dx, ValueId tokens, ValueId table) {
  need_settled("embed_grad", {dx});
  Type t = type(table);
  t.partial = cut_axes(type(tokens), {DimName::b, DimName::L});
  return push(EmbedGrad{}, {dx, tokens}, "d" + value(table).name, t);
}

ValueId Builder::token_loss(ValueId logits, ValueId labels, std::int64_t vocabulary,
                            bool keeps_normalized) {
  need_settled("loss", {logits, labels});
  if (type(labels).dims[1] != *type(logits).find(DimName::L))
    refuse("loss", labels, "expected the labels to lie as the logits; move them");
  Type row = tokens_of(type(logits));
  const Type settled = row;
  row.partial = cut_axes(type(logits), {DimName::v});
  Type most = row;
  most.maximum = !row.partial.empty();
  const ValueId max = move(push(RowMax{vocabulary}, {logits}, "max", most), settled);
  const ValueId sum = move(push(SumExp{vocabulary}, {logits, max}, "sumexp", row), settled);
  const Type loss{DType::f32, {}, {}, cut_axes(settled, {DimName::b, DimName::L})};
  if (!keeps_normalized) {
    const ValueId picked = move(push(Pick{}, {logits, labels}, "picked", row), settled);
    return push(TokenLoss{vocabulary}, {logits, labels, max, sum, picked}, "loss", loss);
  }
  const Type t = type(logits);
  const ValueId logp = push(LogSoftmax{}, {logits, max, sum}, "logp", t);
  const ValueId chosen = move(push(Pick{}, {logp, labels}, "picked", row), settled);
  return push(TokenLoss{vocabulary}, {logp, labels, chosen}, "loss", loss);
}

ValueId Builder::token_loss_grad(const Ids& in, std::int64_t vocabulary) {
  const Type t = type(in[1]);
  return push(TokenLossGrad{vocabulary}, in, "d" + value(in[1]).name, t);
}

ValueId Builder::squared_norm(ValueId x) {
  AxisList axes = axes_of(type(x));
  require(type(x).partial.empty(), "the norm of a sum is not the sum of norms");
  std::ranges::sort(axes);
  return push(SquaredNorm{}, {x}, "norm2", {DType::f32, {}, {}, axes});
}

ValueId Builder::clip_factor(ValueId squared_norm, double max_norm) {
  need_settled("clip", {squared_norm});
  const Type t = type(squared_norm);
  return push(ClipFactor{max_norm}, {squared_norm}, "factor", t);
}

Ids Builder::adam(const Ids& in, const Adam& how) {
  require(type(in[3]).partial.empty(), "a gradient is settled before it is used");
  Ids out;
  for (std::size_t i = 0; i < 3; ++i) {
    const Value old = value(in[i]);
    out.push_back(add_value(old.name, old.type, old.role));
    program_.values_[out.back()].on_host = old.on_host;
  }
  append(how, in, out);
  return out;
}

}  // namespace ithaca
