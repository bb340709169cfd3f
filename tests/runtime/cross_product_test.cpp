// Every strategy and composite of tests/shapes.h runs as one rank does and moves and holds what was predicted: with
// equal, grouped and too few KV heads, SwiGLU and GELU, batch 1 and 2 per data rank, kept and recomputed.
#include "models/error.h"
#include "planner/space.h"
#include "runtime/verify.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <string>
#include <tuple>

namespace ithaca {
namespace {

struct NamedHeads {
  const char* name;
  Heads heads;
};
constexpr NamedHeads mha{"mha", {16, 1, 2}}, gqa{"gqa", {8, 2, 2}}, few{"few", {2, 8, 2}},
    one{"one", {1, 16, 2}};

/// Heads, GELU (with LayerNorm and biases), samples per data rank, full recompute (with normalized heads).
using Variant = std::tuple<NamedHeads, bool, std::int64_t, bool>;
class EveryStrategy : public testing::TestWithParam<Variant> {};

std::string name_of(const testing::TestParamInfo<Variant>& info) {
  const auto& [heads, gelu, batch, recompute] = info.param;
  return fmt::format("{}_{}_b{}{}", heads.name, gelu ? "gelu" : "swiglu", batch,
                     recompute ? "_recompute" : "");
}

LayerShape shape_for(const Variant& variant, const Mesh& mesh) {
  const auto& [heads, gelu, batch, recompute] = variant;
  LayerShape shape = shape_of(32, 24, heads.heads, 32);
  shape.b = batch;
  for (const Mesh::Extent& extent : mesh.extents())
    if (extent.name == "p") shape.b *= extent.ranks;
  shape.qkv_bias = shape.o_bias = shape.mlp_bias = gelu;
  shape.norm = gelu ? Norm::layer : Norm::rms;
  shape.act = gelu ? Act::gelu : Act::swiglu;
  shape.qk_norm = recompute;
  return shape;
}

void expect_equal_to_one_rank(const LayerShape& shape, const Arrangement& a, bool recompute) {
  const Verification v = verify_layer(shape, a.strategy, a.mesh, {DType::f64, recompute});
  EXPECT_LE(v.max_relative_error(), 1e-10) << a.name;
  EXPECT_LE(v.max_replica_difference(), 1e-10) << a.name;
  EXPECT_TRUE(v.bytes_match()) << a.name;
}

TEST_P(EveryStrategy, RunsAsOneRankDoes) {
  for (const Case& c : all_cases()) {
    const Mesh mesh = parse_mesh(c.mesh);
    LayerShape shape = shape_for(GetParam(), mesh);
    if (c.expression.starts_with("data_zero3(r)")) shape.b *= mesh.ranks(mesh.axis("r"));
    SCOPED_TRACE(c.mesh);
    expect_equal_to_one_rank(shape, arrange(c.expression, mesh, shape), std::get<3>(GetParam()));
  }
}

INSTANTIATE_TEST_SUITE_P(CrossProduct, EveryStrategy,
                         testing::Combine(testing::Values(mha, gqa, few, one), testing::Bool(),
                                          testing::Values<std::int64_t>(1, 2), testing::Bool()),
                         name_of);

TEST(Rings, OfSixteenRanksRunAsOneRankDoes) {
  for (const char* const name :
       {"ring_zero3", "ring_zigzag_zero3", "ring_stripes_ddp", "ring_homing_zigzag_zero3"})
    for (const NamedHeads& heads : {mha, few}) {
      const LayerShape shape = shape_of(64, 24, heads.heads, 32);
      expect_equal_to_one_rank(shape, arrange(name, Mesh({{"r", 16}}), shape), false);
    }
}

TEST(Rings, OnTwoAxesOfSixteenRanksRunAsOneRankDoes) {
  for (const char* const name : {"double_ring_zigzag_zero3", "double_ring_homing_zigzag_zero3"})
    for (const char* const mesh : {"o=2,i=8", "o=4,i=4", "o=8,i=2"}) {
      const LayerShape shape = shape_of(64, 24, gqa.heads, 32);
      expect_equal_to_one_rank(shape, arrange(name, parse_mesh(mesh), shape), false);
    }
}

TEST(Planner, OffersNothingThatDoesNotRun) {
  LayerShape shape = shape_of(32, 24, gqa.heads, 32);
  shape.b = 2;
  std::size_t run = 0;
  for (const Choice& choice : choices(8, shape.b, 4)) {
    if (choice.recompute) continue;
    try {
      expect_equal_to_one_rank(shape, arrange(choice.expression(), choice.mesh, shape), false);
      ++run;
    } catch (const TypeError&) {  // the planner lists it as impossible, with this reason
    }
  }
  EXPECT_GT(run, 300U);
}

}  // namespace
}  // namespace ithaca
