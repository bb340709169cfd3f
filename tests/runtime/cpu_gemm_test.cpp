#include "models/layer.h"
#include "runtime/einsum_fold.h"
#include "tests/runtime/cpu_steps.h"

#include <algorithm>

namespace ithaca::test {
namespace {

using enum DimName;

Tensor einsum_reference(const Program& p, const Step& step, const Tensors& values) {
  const Type &a = p.type(step.in[0]), &b = p.type(step.in[1]), &y = p.type(step.out[0]);
  Dims all = a.dims;
  for (const Dim& dim : b.dims)
    if (a.find(dim.name) == nullptr) all.push_back(dim);
  Tensor sum(static_cast<std::size_t>(whole_elements(y, p.mesh())), 0);
  if (step.in.size() > 2) sum = values[step.in[2]];
  for_each_index(all, p.mesh(), {}, [&](const Index& i) {
    sum[offset(y, p.mesh(), i)] +=
        values[step.in[0]][offset(a, p.mesh(), i)] * values[step.in[1]][offset(b, p.mesh(), i)];
  });
  return sum;
}

/// Every einsum of the program, each on random operands.  Returns how many there are.
int check_einsums(const Program& p) {
  int einsums = 0;
  for (const Step& step : p.steps()) {
    if (!std::holds_alternative<Einsum>(step.op)) continue;
    Tensors values(p.values().size());
    for (const ValueId v : step.in)
      values[v] = random_tensor(whole_elements(p.type(v), p.mesh()), 17 + v);
    run_step(p, step, 0, values);
    expect_close(values[step.out[0]], einsum_reference(p, step, values));
    ++einsums;
  }
  return einsums;
}

LayerShape gqa_shape() {
  LayerShape n;
  n.b = 2, n.L = 12, n.d = 8, n.k = 2, n.g = 3, n.e = 4, n.i = 10;
  return n;
}

TEST(CpuEinsum, EqualsTheSumOverItsContractedDimsInEveryProductOfALayer) {
  const LayerOptions options{.dtype = DType::f64};
  EXPECT_EQ(check_einsums(one_rank(gqa_shape(), options).program), 18);
  LayerShape fused = gqa_shape();
  fused.fused_qkv = true;
  fused.act = Act::gelu;
  EXPECT_EQ(check_einsums(one_rank(fused, options).program), 12);
}

TEST(CpuEinsum, AddsToTheSumsOfMicroBatchesBefore) {
  LayerOptions options{.dtype = DType::f64};
  options.accumulate = options.kernels.fused_sums = true;
  const Program p = one_rank(gqa_shape(), options).program;
  EXPECT_EQ(check_einsums(p), 18);
  EXPECT_EQ(std::ranges::count_if(p.steps(),
                                  [](const Step& s) {
                                    return s.in.size() == 3 && std::holds_alternative<Einsum>(s.op);
                                  }),
            6);
}

TEST(CpuEinsum, WorksOnTheLocalSizesOfAShardedLayer) {
  const Mesh mesh({{"t", 2}});
  const Strategy strategy = tp({{}, {mesh.axis("t")}});
  const Layer layer = layer_program(gqa_shape(), strategy, mesh, {.dtype = DType::f64});
  EXPECT_EQ(check_einsums(layer.program), 18);
}

TEST(CpuEinsum, FoldsAllEightLayouts) {
  const Dim rows{L, 5, {}}, columns{i, 7, {}}, inner{d, 3, {}};
  for (int bits = 0; bits < 8; ++bits) {
    Builder builder{Mesh{}};
    const auto input = [&](const char* name, Dim first, Dim second, bool swap) {
      if (swap) std::swap(first, second);
      return builder.input(name, f64({first, second}), Role::activation);
    };
    const ValueId a = input("a", rows, inner, bits & 1), b = input("b", inner, columns, bits & 2);
    if ((bits & 4) != 0)
      builder.einsum("y", a, b, {i, L});
    else
      builder.einsum("y", a, b, {L, i});
    const Program p = std::move(builder).build();
    const Fold f = fold(p, p.steps()[0]);
    EXPECT_EQ(f.m, 5);
    EXPECT_EQ(f.n, 7);
    EXPECT_EQ(f.k, 3);
    EXPECT_EQ(f.a_transposed, (bits & 1) != 0);
    EXPECT_EQ(f.b_transposed, (bits & 2) != 0);
    EXPECT_EQ(f.y_transposed, (bits & 4) != 0);
    EXPECT_EQ(check_einsums(p), 1);
  }
}

TEST(CpuEinsumDeathTest, AbortsOnDimsThatDoNotFold) {
  Builder builder{Mesh{}};
  const Dim batch{b, 2, {}}, rows{L, 3, {}}, inner{d, 4, {}};
  const ValueId x = builder.input("x", f64({batch, rows, inner}), Role::activation);
  const ValueId w = builder.input("w", f64({rows, inner}), Role::weight);
  builder.einsum("y", x, w, {b, L});  // L is in both operands and in the result
  const Program p = std::move(builder).build();
  EXPECT_DEATH(fold(p, p.steps()[0]), "does not fold");
}

}  // namespace
}  // namespace ithaca::test
