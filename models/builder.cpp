#include "models/builder.h"

#include "models/error.h"
#include "models/wire.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

bool has_dim(const Type& t, DimName name) {
  return t.find(name) != nullptr;
}

void add_partial(Type& t, Axis axis) {
  if (contains(t.partial, axis)) return;
  t.partial.insert(std::ranges::upper_bound(t.partial, axis), axis);
}

/// Axes that shard dims of `x` other than those `kept` has.
void add_contracted(Type& result, const Type& x, const Type& kept) {
  for (const Dim& dim : x.dims)
    if (!has_dim(kept, dim.name))
      for (const Cut& cut : dim.over) add_partial(result, cut.axis);
}

bool has(const Ids& ids, ValueId v) {
  return std::ranges::find(ids, v) != ids.end();
}

}  // namespace

Layout operator+(Layout a, const Layout& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Type laid(Type t, const Layout& layout) {
  t.flat.clear();
  t.partial.clear();
  for (Dim& dim : t.dims) {
    dim.over.clear();
    for (const Placement& p : layout)
      if (p.dim == dim.name) dim.over.push_back(p.cut);
    if (dim.name == DimName::k || dim.name == DimName::g) std::ranges::reverse(dim.over);
  }
  return t;
}

Builder::Builder(Mesh mesh) {
  program_.mesh_ = std::move(mesh);
  program_.values_.reserve(256);
  program_.steps_.reserve(256);
}

void Builder::refuse(std::string_view step, ValueId v, std::string_view why) const {
  throw TypeError(step,
                  fmt::format("{} {}: {}", value(v).name, to_string(type(v), program_.mesh_), why));
}

void Builder::check_divides(const Value& v) const {
  const Mesh& mesh = program_.mesh_;
  for (const Dim& dim : v.type.dims) {
    std::int64_t size = dim.size;
    for (const Cut& cut : dim.over) {
      const int n = mesh.ranks(cut.axis);
      const std::int64_t parts = cut.deal == Deal::zigzag ? 2 * n : n;
      if (size % parts != 0)
        throw TypeError(
            v.name, fmt::format("expected dim {} a multiple of {} to lie in {} on the {} ranks of "
                                "axis {}, got {}, use another size or fewer ranks",
                                name_of(dim.name), dim.size / size * parts, name_of(cut.deal), n,
                                mesh.name(cut.axis), dim.size));
      size /= n;
    }
  }
  AxisList axes = axes_of(v.type);
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end())
    throw TypeError(v.name, fmt::format("expected one use of each axis, got {}, use another axis",
                                        to_string(v.type, mesh)));
}

ValueId Builder::add_value(std::string name, const Type& t, Role role) {
  program_.values_.push_back({std::move(name), t, role});
  check_divides(program_.values_.back());
  return static_cast<ValueId>(program_.values_.size() - 1);
}

void Builder::append(const Op& op, const Ids& in, const Ids& out) {
  program_.steps_.push_back({op, in, out, phase_, layer_, times_, tiles_});
}

Role Builder::role_of_result() const {
  return phase_ == Phase::backward ? Role::gradient : Role::activation;
}

Ids Builder::push(const Op& op, const Ids& in,
                  std::initializer_list<std::pair<std::string, Type>> out) {
  Ids ids;
  for (const auto& [name, t] : out) ids.push_back(add_value(name, t, role_of_result()));
  append(op, in, ids);
  return ids;
}

ValueId Builder::push(const Op& op, const Ids& in, std::string name, const Type& t) {
  const ValueId v = add_value(std::move(name), t, role_of_result());
  append(op, in, {v});
  return v;
}

Ids Builder::repeat(const Step& step, const Ids& in) {
  return repeat(program_, step, in);
}

Ids Builder::repeat(const Program& from, const Step& step, const Ids& in) {
  Ids out;
  for (const ValueId v : step.out) {
    const Value old = from[v];
    out.push_back(add_value(old.name, old.type, old.role));
  }
  const Op op = step.op;
  append(op, in, out);
  return out;
}

void Builder::need_settled(std::string_view step, const Ids& values) const {
  for (const ValueId v : values)
    if (!type(v).partial.empty() || !type(v).flat.empty())
      refuse(step, v, "expected a settled value, got a partial sum or a flat shard; move it first");
}

void Builder::need_whole(std::string_view step, ValueId v, const Dim& dim) const {
  if (!dim.over.empty())
    refuse(step, v,
           fmt::format("expected all of dim {} on each rank, got a shard; gather it first",
                       name_of(dim.name)));
}

ValueId Builder::input(std::string name, const Type& t, Role role) {
  const ValueId v = add_value(std::move(name), t, role);
  program_.inputs_.push_back(v);
  return v;
}

Program Builder::build() && {
  return std::move(program_);
}

// ---- Arithmetic ------------------------------------------------------------------------------------------

ValueId Builder::einsum(std::string name, ValueId a, ValueId b,
                        std::initializer_list<DimName> dims) {
  Dims order;
  for (const DimName dim : dims) {
    const Dim* found = type(a).find(dim);
    order.push_back(found != nullptr ? *found : *type(b).find(dim));
  }
  return einsum(std::move(name), a, b, order);
}

ValueId Builder::einsum(std::string name, ValueId a, ValueId b, const Dims& order) {
  const Type &ta = type(a), &tb = type(b);
  if (!ta.flat.empty() || !tb.flat.empty())
    refuse(name, ta.flat.empty() ? b : a,
           "expected a whole value, got a flat shard; gather it first");
  Type y{ta.dtype, order, {}, {}};
  for (Dim& dim : y.dims) dim.over = (has_dim(ta, dim.name) ? ta : tb).find(dim.name)->over;
  for (const auto& [mine, other] : {std::pair{a, b}, std::pair{b, a}}) {
    const Type* const t = &type(mine);
    for (const Dim& dim : t->dims) {
      const Dim* twin = type(other).find(dim.name);
      if (twin != nullptr && *twin != dim)
        refuse(name, other,
               fmt::format("expected dim {} to lie as in {} {}; move one of them",
                           name_of(dim.name), value(mine).name, to_string(*t, program_.mesh_)));
      require(twin != nullptr || has_dim(y, dim.name),
              "an einsum sums over a dim of one operand only");
    }
    add_contracted(y, *t, y);
    for (const Axis axis : t->partial) {
      if (contains(axes_of(type(other)), axis))
        refuse(name, other,
               fmt::format("expected copies on axis {}, where the other operand is a partial sum; "
                           "settle that first",
                           program_.mesh_.name(axis)));
      add_partial(y, axis);
    }
  }
  return push(Einsum{}, {a, b}, std::move(name), y);
}

ValueId Builder::add(std::string name, ValueId a, ValueId b) {
  Type tb = type(b);
  tb.dtype = type(a).dtype;
  if (tb != type(a))
    refuse(name, b,
           fmt::format("expected it to lie as {} {}; move one of them", value(a).name,
                       to_string(type(a), program_.mesh_)));
  const Type t = type(a);
  return push(Add{}, {a, b}, std::move(name), t);
}

ValueId Builder::add_product(std::string name, ValueId sum, ValueId y, const Einsum& how) {
  const auto touches = [&](const Step& s) { return has(s.in, y) || has(s.out, y); };
  const auto last = std::ranges::find_if(program_.steps_.rbegin(), program_.steps_.rend(), touches);
  if (last == program_.steps_.rend() || has(last->in, y) ||
      !std::holds_alternative<Einsum>(last->op))
    return add(std::move(name), sum, y);
  Type t = type(y);
  t.dtype = type(sum).dtype;
  require(t == type(sum), "a product lies as the sum it is added to");
  last->op = how;
  last->in.push_back(sum);
  program_.values_[y].type = t;
  return y;
}

ValueId Builder::bias(std::string name, ValueId x, ValueId bias) {
  need_settled(name, {x, bias});
  for (const Dim& dim : type(bias).dims)
    if (const Dim* of_x = type(x).find(dim.name); of_x == nullptr || *of_x != dim)
      refuse(name, bias,
             fmt::format("expected dim {} to lie as in {} {}; move one of them", name_of(dim.name),
                         value(x).name, to_string(type(x), program_.mesh_)));
  const Type t = type(x);
  return push(Bias{}, {x, bias}, std::move(name), t);
}

ValueId Builder::bias_grad(ValueId dy, ValueId bias) {
  Type t = type(bias);
  for (const Axis axis : type(dy).partial) add_partial(t, axis);
  add_contracted(t, type(dy), type(bias));
  return push(BiasGrad{}, {dy}, "d" + value(bias).name, t);
}

ValueId Builder::multiply(std::string name, ValueId x, ValueId factor) {
  need_settled(name, {factor});
  for (const Dim& dim : type(factor).dims)
    if (const Dim* of_x = type(x).find(dim.name); of_x == nullptr || *of_x != dim)
      refuse(name, factor,
             fmt::format("expected dim {} to lie as in {} {}; move one of them", name_of(dim.name),
                         value(x).name, to_string(type(x), program_.mesh_)));
  const Type t = type(x);
  return push(Multiply{}, {x, factor}, std::move(name), t);
}

ValueId Builder::multiply_grad(ValueId dy, ValueId x, ValueId factor) {
  Type t = type(factor);
  for (const Axis axis : type(dy).partial) add_partial(t, axis);
  add_contracted(t, type(x), type(factor));
  return push(MultiplyGrad{}, {dy, x}, "d" + value(factor).name, t);
}

ValueId Builder::normalize(std::string name, Norm kind, const Ids& in) {
  need_settled(name, in);
  if (in.size() == 1) need_whole(name, in[0], type(in[0]).dims.back());
  for (const Dim& dim : in.size() == 1 ? Dims{} : type(in[1]).dims) {
    const Dim* of_x = type(in[0]).find(dim.name);
    if (of_x == nullptr)
      refuse(name, in[0],
             fmt::format("expected a dim {} to normalize, got none", name_of(dim.name)));
    need_whole(name, in[0], *of_x);
    if (*of_x != dim)
      refuse(name, in[1],
             fmt::format("expected dim {} to lie as in {} {}; gather it first", name_of(dim.name),
                         value(in[0]).name, to_string(type(in[0]), program_.mesh_)));
  }
  Type t = type(in[0]);
  if (in.size() > 1) t.dtype = type(in[1]).dtype;
  return push(Normalize{kind}, in, std::move(name), t);
}

Ids Builder::normalize_grad(Norm kind, ValueId dy, const Ids& in) {
  if (in.size() == 1) {
    Type x = type(in[0]);
    for (const Axis axis : type(dy).partial) add_partial(x, axis);
    return {push(NormalizeGrad{kind}, {dy, in[0]}, "d" + value(in[0]).name, x)};
  }
  Type gain = type(in[1]), x = type(in[0]);
  add_contracted(gain, x, gain);
  for (const Axis axis : type(dy).partial) {
    add_partial(gain, axis);
    add_partial(x, axis);
  }
  const std::string dx = "d" + value(in[0]).name, dgain = "d" + value(in[1]).name;
  if (in.size() == 2)
    return push(NormalizeGrad{kind}, {dy, in[0], in[1]}, {{dx, x}, {dgain, gain}});
  const std::string dshift = "d" + value(in[2]).name;
  return push(NormalizeGrad{kind}, {dy, in[0], in[1]}, {{dx, x}, {dgain, gain}, {dshift, gain}});
}

ValueId Builder::activate(std::string name, Act kind, ValueId up) {
  need_settled(name, {up});
  Type t = type(up);
  if (is_gated(kind)) {
    const Dim* m = t.find(DimName::m);
    if (m == nullptr) refuse(name, up, "expected the dim m of a gated MLP");
    need_whole(name, up, *m);
    t.dims.erase(t.dims.begin() + (m - t.dims.data()));
  }
  return push(Activate{kind}, {up}, std::move(name), t);
}

ValueId Builder::activate_grad(Act kind, ValueId dy, ValueId up) {
  need_settled("act_grad", {dy});
  const Type t = type(up);
  return push(ActivateGrad{kind}, {dy, up}, "d" + value(up).name, t);
}

ValueId Builder::rope(std::string name, const Ids& in, const Rope& how) {
  const ValueId x = in[0];
  const Dim* e = type(x).find(DimName::e);
  if (e == nullptr || type(x).find(DimName::L) == nullptr) refuse(name, x, "expected dims L and e");
  need_whole(name, x, *e);
  if (e->size % 2 != 0)
    refuse(name, x,
           fmt::format("expected an even head dimension for rotary positions, got {}", e->size));
  const Type t = type(x);
  return push(how, in, std::move(name), t);
}

ValueId Builder::rotation_table(ValueId x, double theta) {
  const Type& t = type(x);
  const Type table{t.dtype, {*t.find(DimName::L), {DimName::m, 2}, *t.find(DimName::e)}, {}, {}};
  return push(RotationTable{theta}, {}, "rotation", table);
}

Ids Builder::split_qkv(ValueId packed, std::int64_t g) {
  const Type t = type(packed);
  const Dim* p = t.find(DimName::p);
  if (p == nullptr || p->size != g + 2)
    refuse("split_qkv", packed, "expected a dim p of g + 2 heads");
  need_whole("split_qkv", packed, *p);
  Type q = t, k = t;
  q.dims[static_cast<std::size_t>(p - t.dims.data())] = {DimName::g, g, {}};
  k.dims.erase(k.dims.begin() + (p - t.dims.data()));
  return push(SplitQkv{}, {packed}, {{"q", q}, {"k", k}, {"v", k}});
}

ValueId Builder::join_qkv(ValueId dq, ValueId dk, ValueId dv) {
  Type t = type(dq);
  for (Dim& dim : t.dims)
    if (dim.name == DimName::g) dim = {DimName::p, dim.size + 2, {}};
  require(type(dk).partial == t.partial && type(dv).partial == t.partial,
          "join_qkv of values that differ");
  return push(JoinQkv{}, {dq, dk, dv}, "dqkv", t);
}

ValueId Builder::cast(ValueId x, DType dtype) {
  Type t = type(x);
  if (t.dtype == dtype) return x;
  t.dtype = dtype;
  const Value from = value(x);
  const ValueId v = push(Cast{}, {x}, from.name, t);
  role(v, from.role);
  return v;
}

}  // namespace ithaca
