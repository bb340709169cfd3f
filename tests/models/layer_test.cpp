#include "models/layer.h"

#include "models/error.h"
#include "sim/count.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

namespace ithaca {
namespace {

TEST(Parameters, OfALlama3LayerAreThePublishedOnes) {
  // 2da + 2dc + 3di + 2d with d = a = 4096, c = 1024, i = 14336.
  EXPECT_EQ(parameters(one_rank(llama3_8b(1))), 218'112'000);
}

TEST(Parameters, OfAGpt2XlLayerIncludeBiasesAndShifts) {
  LayerShape n = shape_of(1, 1600, {25, 1, 64}, 6400);
  n.act = Act::gelu;
  n.norm = Norm::layer;
  n.rope = false;
  n.qkv_bias = n.o_bias = n.mlp_bias = true;
  EXPECT_EQ(parameters(one_rank(n)), 12 * 1600 * 1600 + 13 * 1600);
}

TEST(Parameters, OfQueryAndKeyNormsAreTwoHeads) {
  LayerShape n = llama3_8b(1);
  n.qk_norm = true;
  EXPECT_EQ(parameters(one_rank(n)), 218'112'000 + 2 * 128);
}

TEST(Parameters, OfPostNormsAreTwoMoreRows) {
  LayerShape n = llama3_8b(1);
  n.post_norms = true;
  EXPECT_EQ(parameters(one_rank(n)), 218'112'000 + 2 * 4096);
}

TEST(Parameters, OfABiasedSwigluHaveOneForEachOutput) {
  LayerShape n = llama3_8b(1);
  n.qkv_bias = n.o_bias = n.mlp_bias = true;
  EXPECT_EQ(parameters(one_rank(n)), 218'112'000 + (4096 + 2 * 1024) + 4096 + (2 * 14336 + 4096));
}

TEST(Parameters, DoNotDependOnFusingNorOnTheStrategy) {
  LayerShape fused = small_shape();
  fused.fused_qkv = true;
  const std::int64_t one = parameters(one_rank(small_shape()));
  EXPECT_EQ(parameters(one_rank(fused)), one);
  for (const Case& c : all_cases()) {
    EXPECT_EQ(parameters(layer_of(c)), one) << c.expression;
    EXPECT_EQ(parameters(layer_of(c, fused)), one) << c.expression;
  }
}

TEST(Layer, GivesEveryWeightAGradientOfItsShape) {
  LayerShape n = small_shape();
  n.norm = Norm::layer;
  n.qkv_bias = n.o_bias = n.mlp_bias = n.qk_norm = n.post_norms = true;
  for (const Case& c : all_cases()) {
    const Layer layer = layer_of(c, n);
    EXPECT_EQ(layer.weights.size(), 6U + 4 + 4 + 2 + 3 + 1 + 2);
    for (const Parameter& w : layer.weights) {
      ASSERT_NE(w.grad, no_value) << layer.program[w.stored].name;
      EXPECT_FALSE(layer.program[w.stored].name.empty());
      EXPECT_EQ(layer.program[w.grad].name, "d" + layer.program[w.stored].name);
      EXPECT_EQ(layer.program[w.grad].role, Role::weight_gradient);
      EXPECT_EQ(global_elements(layer.program.type(w.grad)),
                global_elements(layer.program.type(w.stored)));
    }
    EXPECT_EQ(layer.program.type(layer.dx), layer.program.type(layer.x)) << c.expression;
    EXPECT_EQ(layer.program.type(layer.y), layer.program.type(layer.x)) << c.expression;
  }
}

TEST(Layer, ReadsNoValueBeforeItIsMadeAndMakesNoneTwice) {
  for (const Case& c : all_cases())
    for (const bool recompute : {false, true}) {
      const Program p = layer_of(c, small_shape(), {.recompute = recompute}).program;
      std::set<ValueId> made(p.inputs().begin(), p.inputs().end());
      for (const Step& step : p.steps()) {
        for (const ValueId v : step.in) EXPECT_TRUE(made.contains(v)) << c.expression << " %" << v;
        for (const ValueId v : step.out)
          EXPECT_TRUE(made.insert(v).second) << c.expression << " %" << v;
      }
      EXPECT_EQ(made.size(), p.values().size()) << c.expression;
    }
}

TEST(Layer, ForwardOnlyIsTheForwardOfTheWhole) {
  for (const Case& c : all_cases()) {
    const Layer forward = layer_of(c, small_shape(), {.backward = false}), both = layer_of(c);
    EXPECT_EQ(forward.dx, no_value);
    EXPECT_EQ(forward.dy, no_value);
    for (const Parameter& w : forward.weights) EXPECT_EQ(w.grad, no_value);
    EXPECT_EQ(forward.program.outputs(), (std::vector<ValueId>{forward.y}));
    const auto steps = static_cast<std::size_t>(
        std::ranges::count(both.program.steps(), Phase::forward, &Step::phase));
    ASSERT_EQ(forward.program.steps().size(), steps) << c.expression;
    EXPECT_TRUE(std::ranges::all_of(forward.program.steps(),
                                    [](const Step& s) { return s.phase == Phase::forward; }));
  }
}

TEST(Layer, OfAParallelResidualReadsTheInputInBothHalves) {
  LayerShape n = small_shape();
  n.parallel_residual = true;
  const Layer layer = one_rank(n, {.backward = false});
  int norms_of_x = 0;
  for (const Step& step : layer.program.steps())
    if (std::holds_alternative<Normalize>(step.op) && step.in[0] == layer.x) ++norms_of_x;
  EXPECT_EQ(norms_of_x, 2);
}

TEST(Layer, RefusesSizesBelowOne) {
  for (const auto member : {&LayerShape::b, &LayerShape::L, &LayerShape::d, &LayerShape::k,
                            &LayerShape::g, &LayerShape::e, &LayerShape::i})
    for (const std::int64_t size : {0, -1}) {
      LayerShape n = small_shape();
      n.*member = size;
      EXPECT_THROW(one_rank(n), TypeError);
    }
}

TEST(Layer, RefusesMoreOperationsThanCanBeCounted) {
  EXPECT_THROW(one_rank(llama3_8b(std::int64_t{1} << 40)), TypeError);
  EXPECT_THROW(one_rank(llama3_8b(std::int64_t{1} << 62)), TypeError);
  EXPECT_NO_THROW(one_rank(llama3_8b(std::int64_t{1} << 22)));
}

TEST(Layer, OfOneTokenHasOnePair) {
  LayerShape n = small_shape();
  n.b = n.L = 1;
  EXPECT_EQ(count(one_rank(n).program).attention_flops, 14 * n.e * n.h());
}

TEST(Layer, OfOneHeadRunsOnOneRankOrAlongTheSequence) {
  const LayerShape n = shape_of(96, 40, {1, 1, 6}, 112);
  EXPECT_GT(count(layer_of("ring_zero3", 8, n).program).sent_bytes().total(), 0);
  EXPECT_THROW(layer_of("tp", 2, n), InputError);
  EXPECT_THROW(layer_of("ulysses_zero3", 2, n), InputError);
}

TEST(Layer, OfOneKeyHeadSpreadsItsQueries) {
  const LayerShape n = shape_of(96, 40, {1, 8, 6}, 112);
  EXPECT_EQ(layer_of("tp", 8, n).program.mesh().ranks(), 8);
}

TEST(Layer, RunsOnAsManyRanksAsItHasTokens) {
  const Layer ring = layer_of("ring_zero3", 96, small_shape());
  EXPECT_EQ(local_elements(ring.program.type(ring.x), ring.program.mesh()), 8 * 40);
  EXPECT_THROW(layer_of("ring_zigzag_zero3", 96, small_shape()), TypeError);
  EXPECT_THROW(layer_of("ring_zero3", 192, small_shape()), TypeError);
}

TEST(Attention, AloneSendsAndComputesWhatTheLayersAttentionDoes) {
  const auto activations = [](const Count& c) {
    std::vector<std::tuple<std::string, Wire, std::int64_t>> sent;
    for (const Event& e : c.events)
      for (const char* const of : {"q", "k", "v", "k+v", "o"})
        if (e.role == Role::activation && e.phase == Phase::forward && e.tensor == of)
          sent.emplace_back(e.tensor, e.wire, e.sent_bytes);
    return sent;
  };
  for (const Case& c : all_cases()) {
    if (c.expression.find("tp") != std::string::npos) continue;  // its heads need no move
    const Mesh mesh = parse_mesh(c.mesh);
    const Arrangement at = arrange(c.expression, mesh, small_shape());
    const Count layer = count(layer_of(c.expression, mesh, small_shape()).program);
    const Count alone = count(attention_program(small_shape(), at.strategy, at.mesh));
    EXPECT_EQ(activations(alone), activations(layer)) << c.expression;
    EXPECT_EQ(alone.attention_flops, layer.attention_flops) << c.expression;
    EXPECT_EQ(alone.matmul_flops, 0) << c.expression;
  }
}

TEST(Layer, OfOneRankUnderAnyStrategyIsTheSameWork) {
  const Count alone = count(one_rank(small_shape()).program);
  for (const char* name : {"tp", "tp_sp", "ulysses_zero3", "ring_zero3", "ring_zigzag_zero3",
                           "kv_gather_zero3", "odysseus_zero3", "data_ddp"}) {
    const Count one = count(layer_of(name, 1, small_shape()).program);
    EXPECT_EQ(one.flops(), alone.flops()) << name;
    EXPECT_EQ(one.sent_bytes().total(), 0) << name;
  }
}

}  // namespace
}  // namespace ithaca
