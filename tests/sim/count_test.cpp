#include "sim/count.h"

#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ithaca {
namespace {

const Event& event(const Count& count, Phase phase, const std::string& tensor) {
  const auto it = std::ranges::find_if(
      count.events, [&](const Event& e) { return e.phase == phase && e.tensor == tensor; });
  EXPECT_NE(it, count.events.end()) << tensor;
  return *it;
}

TEST(Events, OfOneTensorInOnePhaseAreOne) {
  const Count ring = count(layer_of("ring_zero3", 8, small_shape()).program);
  const Event& kv = event(ring, Phase::forward, "k+v");
  EXPECT_EQ(kv.calls, 7);
  EXPECT_EQ(kv.wire, Wire::send_recv);
  EXPECT_EQ(kv.elements, 2 * 8 * 96 * small_shape().c());
  EXPECT_EQ(kv.sent_bytes, 7 * kv.elements / 8 * 2);
}

TEST(Events, OfAWeightAndItsGradientCountAsWeights) {
  const Count zero3 = count(layer_of("data_zero3", 4, small_shape()).program);
  EXPECT_EQ(zero3.sent_bytes().activation, 0);
  EXPECT_EQ(event(zero3, Phase::backward, "dwo").role, Role::weight_gradient);
  EXPECT_EQ(event(zero3, Phase::backward, "wo").role, Role::weight);
}

TEST(Events, OfWeightsThatDoNotDivideArePadded) {
  LayerShape shape =
      shape_of(12, 5, {3, 1, 2}, 7);  // wk has 5 3 2 = 30 elements, 8 on each of 4 ranks
  const Count zero3 = count(layer_of("ring_zero3", 4, shape).program);
  EXPECT_EQ(event(zero3, Phase::forward, "wk").sent_bytes, 3 * 8 * 2);
  EXPECT_EQ(event(zero3, Phase::backward, "dwk").sent_bytes, 3 * 8 * 2);
}

TEST(Events, OfAnAllReduceThatDoesNotDivideArePadded) {
  LayerShape shape = shape_of(7, 5, {4, 1, 2}, 8);  // x has 35 elements, in 4 chunks of 9
  const Count tp = count(layer_of("tp", 4, shape).program);
  EXPECT_EQ(event(tp, Phase::forward, "attn").sent_bytes, 2 * 3 * 9 * 2);
}

TEST(Events, OfUlyssesWithFewKeyHeadsSendOneForEveryRank) {
  LayerShape n = small_shape();
  n.k = 2;
  n.g = 8;
  for (const int ranks : {2, 4, 8, 16}) {
    const std::int64_t shared = std::max<std::int64_t>(n.k, ranks) * n.e;  // c' of strategies
    const Count ulysses = count(layer_of("ulysses_zero3", ranks, n).program);
    EXPECT_EQ(ulysses.sent_bytes().activation,
              4 * (ranks - 1) * n.b * n.L * (n.a() + shared) * 2 / ranks / ranks);
  }
}

TEST(Events, OfTpWithFewKeyHeadsStayFourAllReduces) {
  LayerShape n = small_shape();
  n.k = 2;
  n.g = 8;
  const Count tp = count(layer_of("tp", 8, n).program);
  EXPECT_EQ(tp.events.size(), 4U);
  EXPECT_EQ(tp.sent_bytes().total(), 8 * n.b * n.L * n.d * 2 * 7 / 8);
}

TEST(Events, OfAFusedQkvSendWhatThreeMatricesSend) {
  LayerShape fused = small_shape();
  fused.fused_qkv = true;
  for (const Case& c : all_cases()) {
    const SentBytes one = count(layer_of(c, fused).program).sent_bytes();
    const SentBytes three = count(layer_of(c).program).sent_bytes();
    EXPECT_EQ(one.activation, three.activation) << c.expression;
    EXPECT_EQ(one.weight, three.weight) << c.expression;
  }
}

TEST(Work, OfAnAddMovesThreeTensors) {
  Builder b{Mesh{}};
  const Type t{DType::bf16, {{DimName::L, 16}, {DimName::d, 8}}};
  b.add("sum", b.input("x", t, Role::activation), b.input("y", t, Role::activation));
  const Count one = count(std::move(b).build());
  EXPECT_EQ(one.moved_bytes, 3 * 16 * 8 * 2);
  EXPECT_EQ(one.flops(), 0);
}

TEST(Work, OfAMillionTokensDoesNotOverflow) {
  const std::int64_t L = std::int64_t{1} << 20;
  const Count one = count(one_rank(llama3_8b(L)).program);
  EXPECT_EQ(one.attention_flops, 14 * 4096 * (L * (L + 1) / 2));
}

TEST(Symmetric, HoldsUnlessACausalMaskSharesWorkUnequally) {
  for (const char* name : {"tp", "tp_sp", "ulysses_zero3", "odysseus_zero3", "ring_zigzag_zero3"})
    EXPECT_TRUE(symmetric(layer_of(name, 4, small_shape()).program)) << name;
  for (const char* name : {"ring_zero3", "ring_stripes_zero3", "kv_gather_zero3", "usp_zero3"})
    EXPECT_FALSE(symmetric(layer_of(name, 4, small_shape()).program)) << name;
}

}  // namespace
}  // namespace ithaca
