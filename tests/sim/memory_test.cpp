// What one layer keeps for its backward, against closed forms of fused kernels (flash attention, no
// dropout, bf16):
//
//     stream      norm input and output, twice: 8 bytes per token and hidden element
//     attention   q, k, v and o in bf16, the row log-sum-exp in f32
//     MLP         the up-projections and the activation
//
// Tokens are S = b L, or l = S / N where the sequence is split; heads and i are split where tokens
// are whole, so everything but the stream of plain TP is 1/N of one rank's.
#include "sim/memory.h"

#include "models/wire.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ithaca {
namespace {

constexpr int ranks = 4;

std::int64_t saved_bytes(const Program& p) {
  const MemoryPlan plan = memory(p);
  const auto first =
      std::ranges::find(p.steps(), Phase::backward, &Step::phase) - p.steps().begin();
  return plan.by_step[static_cast<std::size_t>(first)][static_cast<std::size_t>(MemoryRole::saved)];
}

std::int64_t saved_by(const std::string& expression, const LayerShape& shape = small_shape()) {
  return saved_bytes(layer_of(expression, ranks, shape).program);
}

/// l, the tokens of one rank.
std::int64_t own_tokens(const LayerShape& n) {
  return n.b * n.L / ranks;
}

std::int64_t stream(const LayerShape& n, std::int64_t tokens) {
  return 8 * tokens * n.d;
}
std::int64_t attention(const LayerShape& n, std::int64_t tokens) {
  return 2 * tokens * (n.a() + 2 * n.c()) + 2 * tokens * n.a() + 4 * n.h() * tokens;
}
std::int64_t mlp(const LayerShape& n, std::int64_t tokens) {
  return 2 * tokens * n.i * (n.gates() + 1);
}

LayerShape gelu_shape() {
  LayerShape shape = small_shape();
  shape.act = Act::gelu;
  return shape;
}

TEST(Saved, ByTpSpIsSplitAlongTheSequenceEverywhere) {
  for (const LayerShape& n : {small_shape(), gelu_shape()})
    EXPECT_EQ(saved_by("tp_sp", n),
              stream(n, own_tokens(n)) + attention(n, own_tokens(n)) + mlp(n, own_tokens(n)));
}

TEST(Saved, ByTpHoldsTheWholeStream) {
  for (const LayerShape& n : {small_shape(), gelu_shape()})
    EXPECT_EQ(saved_by("tp", n),
              stream(n, n.b * n.L) + attention(n, own_tokens(n)) + mlp(n, own_tokens(n)));
}

TEST(Saved, ByUlyssesHoldsTheOutputOfAttentionTwice) {
  for (const LayerShape& n : {small_shape(), gelu_shape()})
    EXPECT_EQ(saved_by("ulysses_zero3", n), stream(n, own_tokens(n)) + attention(n, own_tokens(n)) +
                                                mlp(n, own_tokens(n)) + 2 * own_tokens(n) * n.a());
}

TEST(Saved, ByTheRingIsItsOwnTokens) {
  for (const char* name :
       {"ring_zero3", "ring_zigzag_zero3", "ring_homing_zero3", "kv_gather_zero3", "ring_ddp"})
    for (const LayerShape& n : {small_shape(), gelu_shape()})
      EXPECT_EQ(saved_by(name, n),
                stream(n, own_tokens(n)) + attention(n, own_tokens(n)) + mlp(n, own_tokens(n)))
          << name;
}

TEST(Saved, ByOdysseusIsThatOfTpSp) {
  EXPECT_EQ(saved_by("odysseus_zero3"), saved_by("tp_sp"));
}

TEST(Saved, ByOneRankIsThatOfAllRanksOfTheRing) {
  EXPECT_EQ(saved_bytes(one_rank(small_shape()).program), ranks * saved_by("ring_zero3"));
}

TEST(Saved, OfFewKeyHeadsUnderUlyssesHoldsOneForEveryRank) {
  LayerShape n = small_shape();
  n.k = 2;
  n.g = 8;
  const std::int64_t copies =
      2 * own_tokens(n) * 2 * (ranks * n.e - n.c());  // c' = N e in place of c
  EXPECT_EQ(saved_by("ulysses_zero3", n), stream(n, own_tokens(n)) + attention(n, own_tokens(n)) +
                                              mlp(n, own_tokens(n)) + 2 * own_tokens(n) * n.a() +
                                              copies);
}

TEST(Roles, OfWeightsAreWhatIsStored) {
  const LayerShape n = small_shape();
  const std::int64_t matrices = 2 * (2 * n.d * n.a() + 2 * n.d * n.c() + 3 * n.d * n.i),
                     norms = 2 * 2 * n.d;
  const auto weights = [](const std::string& name) {
    const MemoryPlan plan = memory(layer_of(name, ranks, small_shape()).program);
    return plan.by_step[0][static_cast<std::size_t>(MemoryRole::weights)];
  };
  EXPECT_EQ(weights("tp_sp"), matrices / ranks + norms);
  EXPECT_EQ(weights("ring_zero3"), matrices / ranks + norms);
  EXPECT_EQ(weights("ring_ddp"), matrices + norms);
}

TEST(Plan, OfAHandWrittenProgramIsWhatOneCountsByHand) {
  Builder b{parse_mesh("t=2")};
  const Type shard{DType::f32, {{DimName::L, 32, {{{0}}}}, {DimName::d, 8}}};
  const ValueId x = b.input("x", shard, Role::activation);
  const ValueId whole = b.move(x, Layout{});           // 512 and 1024 bytes
  const ValueId twice = b.add("twice", whole, whole);  // may not take over: whole is read twice
  b.output(b.add("y", b.cast(twice, DType::f64), b.input("z", laid(shard, {}), Role::activation)));
  const Program p = std::move(b).build();
  const MemoryPlan plan = memory(p);
  EXPECT_EQ(plan.live, (std::vector<std::int64_t>{512 + 1024 + 1024, 1024 + 1024 + 1024,
                                                  1024 + 1024 + 2048, 2048 + 1024}));
  EXPECT_EQ(plan.peak_step, 2U);
  EXPECT_EQ(plan.lifetime[twice].takes_over, no_value);
  EXPECT_EQ(plan.offset[p.outputs()[0]],
            plan.offset[p.steps()[2].out[0]]);  // y in the place of the cast
}

TEST(Scratch, OfAnAllReduceIsItsPaddedChunks) {
  const Program p = layer_of("tp", 4, shape_of(7, 5, {4, 1, 2}, 8)).program;
  int reduced = 0;
  for (const Step& step : p.steps()) {
    if (traffic_of(p, step).wire != Wire::all_reduce) continue;
    ++reduced;
    EXPECT_EQ(scratch_of(p, step).bytes(), 4 * 9 * 2);
  }
  EXPECT_EQ(reduced, 4);
}

TEST(Scratch, OfAGatherIntoPlaceIsNothing) {
  LayerShape one_sample = small_shape();
  one_sample.b = 1;
  const auto scratch = [](const LayerShape& shape) {
    const Program p = layer_of("tp_sp", 4, shape).program;
    std::int64_t most = 0;
    for (const Step& step : p.steps()) most = std::max(most, scratch_of(p, step).bytes());
    return most;
  };
  EXPECT_EQ(scratch(one_sample), 0);
  EXPECT_EQ(scratch(small_shape()), 8 * 96 * 40 * 2);  // slices of eight samples interleave
}

}  // namespace
}  // namespace ithaca
