#include "runtime/host_tensor.h"

#include "models/layer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace ithaca {
namespace {

using enum DimName;

const Mesh mesh({{"u", 2}, {"w", 2}});
const Axis u = mesh.axis("u"), w = mesh.axis("w");

std::vector<std::vector<std::byte>> slices(const HostTensor& x, const Type& t) {
  std::vector<std::vector<std::byte>> all;
  for (int rank = 0; rank < mesh.ranks(); ++rank) all.push_back(slice_of(x, t, mesh, rank));
  return all;
}

HostTensor counting(const Type& t) {
  HostTensor x(static_cast<std::size_t>(global_elements(t)));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i) + 1;
  return x;
}

TEST(HostTensor, SlicesGatherToTheWhole) {
  const Dims dims{{L, 8}, {d, 3}};
  const Dims split{{L, 8, {{u, Deal::zigzag}, {w, Deal::stripes}}}, {d, 3}};
  const Dims mixed{{L, 8, {{w, Deal::zigzag}}}, {d, 3}};
  for (const Type& t : {Type{DType::f64, dims, {}, {}}, Type{DType::f64, split, {}, {}},
                        Type{DType::f32, mixed, {}, {}}, Type{DType::f64, dims, {u, w}, {}},
                        Type{DType::f64, {{d, 5}}, {u, w}, {}}}) {
    const HostTensor x = counting(t);
    const Gathered g = gather(t, mesh, slices(x, t));
    EXPECT_EQ(g.whole, x) << to_string(t, mesh);
    EXPECT_EQ(g.replica_difference, 0);
  }
}

TEST(HostTensor, HoldsIndicesInOrder) {
  const Type zigzag{DType::f64, {{L, 4, {{u, Deal::zigzag}}}, {d, 2}}, {}, {}};
  EXPECT_EQ(global_indices(zigzag, mesh, 0), (std::vector<std::int64_t>{0, 1, 6, 7}));
  const Type flat{DType::f64, {{d, 5}}, {u, w}, {}};
  EXPECT_EQ(global_indices(flat, mesh, 1), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(global_indices(flat, mesh, 2), (std::vector<std::int64_t>{4}));
  EXPECT_TRUE(global_indices(flat, mesh, 3).empty());
}

TEST(HostTensor, GatherSumsAddends) {
  const Type t{DType::f64, {{d, 3}}, {}, {u}};
  const Gathered g = gather(t, mesh, slices({1, 2, 3}, t));
  EXPECT_EQ(g.whole, (HostTensor{2, 4, 6}));
}

TEST(HostTensor, GatherReportsCopiesThatDiffer) {
  const Type t{DType::f64, {{d, 2}}, {}, {}};
  auto all = slices({1, 4}, t);
  const double other = 1.5;
  std::memcpy(all[3].data(), &other, sizeof other);
  EXPECT_EQ(gather(t, mesh, all).replica_difference, 0.125);
}

TEST(HostTensor, RelativeErrorSeesANaN) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(relative_error({1, 2}, {1, 4}), 0.5);
  EXPECT_EQ(relative_error({0, 0}, {0, 0}), 0);
  EXPECT_TRUE(std::isinf(relative_error({nan, 1}, {1, 1})));
  EXPECT_TRUE(std::isinf(relative_error({1, 1}, {1, nan})));
}

TEST(Numbers, HaveTheMeanAndScaleAsked) {
  const Numbers numbers{7, 1, 0.5};
  const int n = 100000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double x = numbers[i] - 1;
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 0.01);
  EXPECT_NEAR(std::sqrt(squares / n), 0.5, 0.01);
  EXPECT_NE(numbers[3], numbers[4]);
  EXPECT_NE(numbers[3], (Numbers{8, 1, 0.5}[3]));
}

TEST(Numbers, AreThoseOfAGainInAStepOfItsOwnToo) {
  const LayerShape n = [] {
    LayerShape s;
    s.L = s.d = s.i = 16;
    s.k = s.e = 4;
    s.qk_norm = true;
    return s;
  }();
  const Layer apart = one_rank(n, {.kernels = {.norm_copies = true, .gate_apart = true}});
  for (const Parameter& weight : apart.weights) {
    const bool gain = weight.name.find("norm") != std::string::npos;
    EXPECT_EQ(numbers_for(apart.program, weight.stored).mean, gain ? 1 : 0) << weight.name;
  }
}

TEST(Numbers, KnowGainsFromBiasesAndMatrices) {
  LayerShape n;
  n.L = n.d = n.i = 16;
  n.k = n.e = 4;
  n.norm = Norm::layer;
  n.mlp_bias = true;
  const Layer layer = one_rank(n);
  for (const ValueId v : layer.program.inputs()) {
    const std::string& name = layer.program[v].name;
    const Numbers numbers = numbers_for(layer.program, v);
    const bool gain = name == "norm1" || name == "norm2";
    const bool bias =
        name == "b_up" || name == "b_down" || name == "norm1_shift" || name == "norm2_shift";
    const bool activation = name == "x" || name == "dy";
    EXPECT_EQ(numbers.mean, gain ? 1 : 0) << name;
    EXPECT_EQ(numbers.scale, gain || bias ? 0.1 : activation ? 0.5 : 0.25) << name;
  }
}

}  // namespace
}  // namespace ithaca
