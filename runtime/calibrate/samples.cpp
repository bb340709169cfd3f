#include "runtime/calibrate/samples.h"

#include "models/builder.h"
#include "models/error.h"
#include "models/step.h"
#include "models/update.h"
#include "sim/kernels/measured.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace ithaca {
namespace {

constexpr std::int64_t hidden = 256, intermediate = 512, head_dim = 64, vocabulary = 512;

Dim dim(DimName name, std::int64_t size, const Cuts& over = {}) {
  return {name, size, over};
}

bool is_other(const Program& p, const Step& step) {
  return !std::holds_alternative<Einsum>(step.op) && !std::holds_alternative<Attend>(step.op) &&
         !std::holds_alternative<AttendGrad>(step.op) && !std::holds_alternative<Copy>(step.op) &&
         traffic_of(p, step).wire == Wire::none;
}

/// Operations of a program that are not among the names yet.
void add_new(const Program& p, std::set<std::string>& names, std::vector<Sample>& samples) {
  for (std::uint32_t i = 0; i < p.steps().size(); ++i)
    if (is_other(p, p.steps()[i]) && names.insert(measured_name(p.steps()[i].op)).second)
      samples.push_back({p, i});
}

LayerShape shape_of(std::int64_t tokens) {
  LayerShape shape;
  shape.L = tokens;
  shape.d = hidden;
  shape.i = intermediate;
  shape.k = shape.g = 2;
  shape.e = head_dim;
  return shape;
}

/// Shapes that together have every operation of a layer.
std::vector<LayerShape> shapes_of(std::int64_t tokens) {
  std::vector<LayerShape> shapes(4, shape_of(tokens));
  shapes[1].norm = Norm::layer;
  shapes[1].act = Act::gelu;
  shapes[1].qkv_bias = shapes[1].o_bias = shapes[1].mlp_bias = true;
  shapes[2].act = Act::geglu;
  shapes[2].fused_qkv = true;
  shapes[3].act = Act::silu;
  return shapes;
}

/// Two partial results of attention, as a ring joins them.
Program merge_program(std::int64_t tokens) {
  Builder b{Mesh{}};
  const Dims heads{dim(DimName::b, 1), dim(DimName::L, tokens), dim(DimName::k, 2),
                   dim(DimName::g, 2)};
  Dims elements = heads;
  elements.push_back(dim(DimName::e, head_dim));
  const auto input = [&](const char* name, const Dims& dims, DType dtype) {
    return b.input(name, {dtype, dims, {}, {}}, Role::activation);
  };
  b.merge({input("o", elements, DType::bf16), input("lse", heads, DType::f32),
           input("o2", elements, DType::bf16), input("lse2", heads, DType::f32)});
  return std::move(b).build();
}

bool is_first_of(const Sample& s, std::string_view name) {
  return measured_name(s.step().op) == name;
}

}  // namespace

Sample addition_sample(std::int64_t bytes) {
  Builder b{Mesh{}};
  const std::int64_t elements = bytes / 2 / bytes_of(DType::f64);
  const Type half{DType::f64, {dim(DimName::L, elements), dim(DimName::d, 1)}, {}, {}};
  b.add("y", b.input("a", half, Role::activation), b.input("b", half, Role::activation));
  return {std::move(b).build()};
}

Sample nothing_sample() {
  return addition_sample(2 * bytes_of(DType::f64));
}

Sample product_sample(const std::array<std::int64_t, 3>& mnk, Layouts how, DType dtype) {
  Builder b{Mesh{}};
  const Dim m = dim(DimName::L, mnk[0]), n = dim(DimName::i, mnk[1]), k = dim(DimName::d, mnk[2]);
  const auto input = [&](const char* name, const Dim& first, const Dim& second, bool swapped) {
    const Dims dims = swapped ? Dims{second, first} : Dims{first, second};
    return b.input(name, {dtype, dims, {}, {}}, Role::activation);
  };
  const ValueId left = input("a", m, k, how == Layouts::a_transposed);
  const ValueId right = input("b", k, n, how == Layouts::b_transposed);
  b.einsum("y", left, right, {DimName::L, DimName::i});
  return {std::move(b).build()};
}

Sample attention_sample(std::int64_t tokens, std::int64_t e, bool causal, bool backward,
                        DType dtype) {
  LayerShape shape = shape_of(tokens);
  shape.e = e;
  shape.k = sample_heads / 2;
  if (!causal) shape.mask = Mask::full();
  const Program p = retype(attention_program(shape, {}, Mesh{}), dtype);
  for (std::uint32_t i = 0; i < p.steps().size(); ++i)
    if (backward ? std::holds_alternative<AttendGrad>(p.steps()[i].op)
                 : std::holds_alternative<Attend>(p.steps()[i].op))
      return {p, i};
  require(false, "a program of attention attends");
  return {};
}

std::vector<Sample> other_samples(std::int64_t tokens, DType dtype) {
  std::set<std::string> names;
  std::vector<Sample> samples;
  for (const LayerShape& shape : shapes_of(tokens)) {
    StepOptions options;
    options.unrolled = true;
    const MicroBatch micro = micro_batch({{{shape, {}, 1}}, vocabulary}, Mesh{}, options);
    add_new(retype(micro.program, dtype), names, samples);
    UpdateOptions update;
    update.clip_norm = 1;
    add_new(retype(update_program(micro.program, micro.parameters, update).program, dtype), names,
            samples);
  }
  add_new(retype(merge_program(tokens), dtype), names, samples);
  return samples;
}

std::vector<Sample> common_samples(std::int64_t tokens, DType dtype) {
  std::vector<Sample> all = other_samples(tokens, dtype);
  std::erase_if(all, [](const Sample& s) {
    return !is_first_of(s, "add") && !is_first_of(s, "norm rms") && !is_first_of(s, "act swiglu");
  });
  return all;
}

Sample collective_sample(Wire wire, int members, int ranks, std::int64_t bytes) {
  std::vector<Mesh::Extent> extents{{"x", members}};
  if (ranks > members) extents.insert(extents.begin(), {"beside", ranks / members});
  const Mesh mesh(extents);
  Builder b(mesh);
  const Axis x = mesh.axis("x");
  constexpr std::int64_t element_bytes = 8, columns = 16;
  const std::int64_t rows =
      std::max<std::int64_t>(1, bytes / (element_bytes * columns * members * members)) * members;
  const Dim tokens = dim(DimName::L, rows), cut_tokens = dim(DimName::L, rows, {{x}}),
            heads = dim(DimName::k, members), cut_heads = dim(DimName::k, members, {{x}}),
            e = dim(DimName::e, columns);
  const Type whole{DType::f64, {tokens, heads, e}, {}, {}},
      by_tokens{DType::f64, {cut_tokens, heads, e}, {}, {}},
      by_heads{DType::f64, {tokens, cut_heads, e}, {}, {}};
  Type sum = whole;
  sum.partial.push_back(x);
  const auto input = [&](const Type& t) { return b.input("x", t, Role::activation); };
  if (wire == Wire::all_gather) b.move(input(by_tokens), whole);
  if (wire == Wire::reduce_scatter) b.move(input(sum), by_tokens);
  if (wire == Wire::all_reduce) b.move(input(sum), whole);
  if (wire == Wire::all_to_all) b.move(input(by_tokens), by_heads);
  if (wire == Wire::send_recv) b.shift({input(whole)}, x, 1);
  return {std::move(b).build()};
}

double whole_bytes(const Traffic& t) {
  const auto n = static_cast<double>(t.ranks), sent = static_cast<double>(t.sent_bytes);
  if (t.wire == Wire::send_recv) return sent;
  return sent * n / (n - 1) / (t.wire == Wire::all_reduce ? 2 : 1);
}

}  // namespace ithaca
