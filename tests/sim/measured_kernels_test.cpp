// Measured tables of a cluster file: what they answer, and where a file is wrong.
#include "models/builder.h"
#include "models/error.h"
#include "sim/cost.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ithaca {
namespace {

const std::string text = R"(name: known
source: test
gpu:
  name: a CPU
  source: test
  bf16: 80 GFLOP/s
  memory: 1 GiB
  memory_bandwidth: 8 GB/s
  kernels:
    name: a CPU
    source: test
    peak: 80 GFLOP/s
    launch: 1 us
    tables:
      cores: 2
      products:
      - dtype: f32
        sizes: [16, 256]
        gflop_per_s: [10, 10, 10, 10, 10, 10, 10, 40]
      attention:
      - {dtype: f32, pass: forward, mask: full, head_dim: 64, rate: 20 GFLOP/s, overhead: 0}
      others:
      - {op: add, dtype: f32, points: [[1000 B, 1 us], [100000 B, 100 us]]}
      at_once:
      - {ranks: 1, products: 1, attention: 1, others: 1}
      - {ranks: 4, products: 2, attention: 2, others: 4}
gpus_per_node: 4
fast_domain_gpus: 4
host_memory: 4 GiB
base_latency: 0 us
links:
  intra: {kind: threads, bandwidth: 1 GB/s, latency: 1 us}
  inter: {kind: threads, bandwidth: 1 GB/s, latency: 1 us}
nics_per_node: 4
nic: 1 GB/s
measured_collectives:
- {collective: all_gather, gpus: 2, points: [[1000 B, 10 us], [100000 B, 1000 us]]}
- {collective: all_gather, gpus: 2, at_once: 4, points: [[1000 B, 40 us], [100000 B, 4000 us]]}
)";

std::string with(const std::string& from, const std::string& to) {
  std::string changed = text;
  EXPECT_NE(changed.find(from), std::string::npos) << from;
  return changed.replace(changed.find(from), from.size(), to);
}

std::string error_of(const std::string& content) {
  try {
    parse_cluster(content, "known.yaml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

double product_s(std::int64_t n, DType dtype, int ranks) {
  Builder b(ranks == 1 ? Mesh{} : Mesh({{"x", ranks}}));
  const Dim L{DimName::L, n, {}}, d{DimName::d, n, {}}, i{DimName::i, n, {}};
  const ValueId x = b.input("x", {dtype, {L, d}, {}, {}}, Role::activation);
  b.einsum("y", x, b.input("w", {dtype, {d, i}, {}, {}}, Role::weight), {DimName::L, DimName::i});
  const Program p = std::move(b).build();
  return ClusterCost(parse_cluster(text, "known.yaml")).seconds(p, p.steps()[0], 0);
}

TEST(MeasuredKernels, RatesRunStraightOnLogarithmicAxesAndStayBeyondTheEnds) {
  const auto expected_s = [](double n, double rate) { return 1e-6 + 2 * n * n * n / rate; };
  EXPECT_NEAR(product_s(8, DType::f32, 1), expected_s(8, 10e9), 1e-12);
  EXPECT_NEAR(product_s(256, DType::f32, 1), expected_s(256, 40e9), 1e-12);
  EXPECT_NEAR(product_s(1024, DType::f32, 1), expected_s(1024, 40e9), 1e-12);
  // Half way along each axis one corner of eight has four times the rate.
  EXPECT_NEAR(product_s(64, DType::f32, 1), expected_s(64, 10e9 * std::pow(4, 0.125)), 1e-9);
}

TEST(MeasuredKernels, BetweenNumbersOfRanksSlowdownIsStraightToo) {
  const double flops_s = 2.0 * 256 * 256 * 256 / 40e9;
  EXPECT_NEAR(product_s(256, DType::f32, 4), 2 * (1e-6 + flops_s), 1e-12);
  EXPECT_NEAR(product_s(256, DType::f32, 2), std::sqrt(2) * (1e-6 + flops_s), 1e-9);
  EXPECT_NEAR(product_s(256, DType::f32, 8), 4 * (1e-6 + flops_s), 1e-9);
}

TEST(MeasuredKernels, WhatWasNotMeasuredInF64OrBf16CountsAsWhatWas) {
  EXPECT_DOUBLE_EQ(product_s(256, DType::bf16, 1), product_s(256, DType::f32, 1));
}

TEST(MeasuredCollectives, AnswerForTheNearestNumberOfRanksAtWork) {
  const ClusterCost cost(parse_cluster(text, "known.yaml"));
  const auto gather_s = [&](int beside) {
    const Mesh mesh({{"o", beside}, {"x", 2}});
    Builder b(mesh);
    const Type whole{DType::f32, {{DimName::L, 2500, {}}}, {}, {}};
    Type part = whole;
    part.dims[0].over.push_back({mesh.axis("x")});
    b.move(b.input("x", part, Role::activation), whole);
    const Program p = std::move(b).build();
    return cost.seconds(p, p.steps()[0], 0);
  };
  EXPECT_NEAR(gather_s(1), 100e-6, 1e-9);
  EXPECT_NEAR(gather_s(2), 400e-6, 1e-9);
  EXPECT_NEAR(gather_s(8), 400e-6, 1e-9);
}

TEST(MeasuredCollectives, OfOneNodeDoNotAnswerForTwo) {
  const ClusterCost cost(parse_cluster(text, "known.yaml"));
  const Mesh apart({{"x", 2}, {"o", 4}});
  Builder b(apart);
  const Type whole{DType::f32, {{DimName::L, 2500, {}}}, {}, {}};
  Type part = whole;
  part.dims[0].over.push_back({apart.axis("x")});
  b.move(b.input("x", part, Role::activation), whole);
  const Program p = std::move(b).build();
  EXPECT_NEAR(cost.seconds(p, p.steps()[0], 0), 1e-6 + 5000 / 1e9, 1e-9);
}

TEST(MeasuredKernels, AWrongFileIsOneLineWithItsPlace) {
  EXPECT_EQ(error_of(text), "no error");
  EXPECT_EQ(error_of(with("10, 40]", "10]")),
            "known.yaml:19:22: gpu.kernels.tables.products[0].gflop_per_s: expected 8 rates, one "
            "for each m, n and k of 2 sizes, got 7");
  EXPECT_EQ(error_of(with("[16, 256]", "[256, 16]")),
            "known.yaml:18:16: gpu.kernels.tables.products[0].sizes: expected rising numbers");
  EXPECT_EQ(error_of(with("[1000 B, 1 us]", "[1000 B]")),
            "known.yaml:23:40: gpu.kernels.tables.others[0].points[0]: expected bytes and a time, "
            "such as [4096 B, 1.5 us]");
  EXPECT_EQ(
      error_of(with("points: [[1000 B, 10 us]", "points: [[1000 B, 0 us]")),
      "known.yaml:37:55: measured_collectives[0].points[0][1]: expected a time above 0, got 0");
  for (const auto& [from, to] : {std::pair{"all_gather", "broadcast"},
                                 {"launch: 1 us", "launch: 1"},
                                 {"ranks: 4", "ranks: 1"},
                                 {"dtype: f32", "dtype: bf16"},
                                 {"cores: 2", "cores: 0"},
                                 {"overhead: 0", "overhead: -1"}}) {
    const std::string error = error_of(with(from, to));
    EXPECT_TRUE(error.starts_with("known.yaml:")) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace ithaca
