// What must hold of counts whatever the strategy: tests/shapes.h lists the strategies.
#include "models/error.h"
#include "sim/count.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <map>
#include <numeric>

namespace ithaca {
namespace {

bool of_weights(const Event& e) {
  return e.role == Role::weight || e.role == Role::weight_gradient;
}

std::int64_t sent(const Count& count, Phase phase, bool weights) {
  std::int64_t bytes = 0;
  for (const Event& e : count.events)
    if (e.phase == phase && of_weights(e) == weights) bytes += e.sent_bytes;
  return bytes;
}

int calls(const Count& count, Wire wire, bool weights) {
  int n = 0;
  for (const Event& e : count.events)
    if (e.wire == wire && of_weights(e) == weights) n += e.calls;
  return n;
}

std::int64_t elements(const Count& count) {
  std::int64_t n = 0;
  for (const Event& e : count.events) n += e.elements;
  return n;
}

std::string name_of(const Case& c) {
  return c.expression + " on " + c.mesh;
}

LayerShape gelu_with_everything() {
  LayerShape shape = small_shape();
  shape.act = Act::gelu;
  shape.norm = Norm::layer;
  shape.qkv_bias = shape.o_bias = shape.mlp_bias = shape.post_norms = shape.qk_norm = true;
  return shape;
}

// ---- composition
// ----------------------------------------------------------------------------------

TEST(Composition, OfDisjointAxesSendsTheSameInEitherOrder) {
  const std::vector<std::string> terms{"data_zero3", "data_ddp",        "tp",           "tp_sp",
                                       "ring_zero3", "kv_gather_zero3", "ulysses_zero3"};
  const Mesh mesh = parse_mesh("r=2,u=4");
  int compared = 0;
  for (const std::string& a : terms)
    for (const std::string& b : terms) {
      std::vector<SentBytes> both;
      for (const std::string& text :
           {fmt::format("{}(r) * {}(u)", a, b), fmt::format("{}(u) * {}(r)", b, a)}) {
        try {
          both.push_back(count(layer_of(text, mesh, small_shape()).program).sent_bytes());
        } catch (const InputError&) {
          break;  // an order that needs a major axis to move
        }
      }
      if (both.size() < 2) continue;
      ++compared;
      EXPECT_EQ(both[0].activation, both[1].activation) << a << " and " << b;
      EXPECT_EQ(both[0].weight, both[1].weight) << a << " and " << b;
    }
  EXPECT_GE(compared, 20);
}

TEST(Composition, WithAnAxisOfOneRankIsTheOtherStrategy) {
  const Layer alone = layer_of("tp_sp(t)", parse_mesh("t=4"), small_shape());
  const Layer with = layer_of("data_zero3(p) * tp_sp(t)", parse_mesh("p=1,t=4"), small_shape());
  EXPECT_EQ(count(with.program).sent_bytes().total(), count(alone.program).sent_bytes().total());
  EXPECT_EQ(count(with.program).events.size(), count(alone.program).events.size());
}

TEST(Count, OfAGroupOfOneHasNoEvents) {
  for (const Case& c : all_cases()) {
    std::string mesh = c.mesh;
    for (char& ch : mesh)
      if (ch >= '2' && ch <= '9') ch = '1';
    const Layer layer =
        layer_of(c.expression, parse_mesh(mesh), small_shape(), {.recompute = true});
    EXPECT_TRUE(count(layer.program).events.empty()) << name_of(c);
    EXPECT_TRUE(count(settle_program(layer)).events.empty()) << name_of(c);
  }
}

// ---- recompute
// ------------------------------------------------------------------------------------

TEST(Recompute, SendsTheForwardAgainAndLeavesActivationsOfTheOthersAlone) {
  for (const Case& c : all_cases()) {
    const Count kept = count(layer_of(c).program);
    const Count again = count(layer_of(c, small_shape(), {.recompute = true}).program);
    for (const Phase phase : {Phase::forward, Phase::backward})
      EXPECT_EQ(sent(again, phase, false), sent(kept, phase, false)) << name_of(c);
    for (const bool weights : {false, true}) {
      EXPECT_EQ(sent(kept, Phase::recompute, weights), 0) << name_of(c);
      EXPECT_EQ(sent(again, Phase::recompute, weights), sent(kept, Phase::forward, weights))
          << name_of(c);
      EXPECT_EQ(sent(again, Phase::forward, weights), sent(kept, Phase::forward, weights))
          << name_of(c);
    }
  }
}

TEST(Recompute, OfAllButAttentionLeavesThatAndItsRingAlone) {
  const Recompute all_but = parse_recompute("full-but-attention", {}, "");
  for (const Case& c : all_cases()) {
    const Count kept = count(layer_of(c).program);
    const Count again = count(layer_of(c, small_shape(), {.recompute = true}).program);
    const Count some = count(layer_of(c, small_shape(), {.recompute = all_but}).program);
    EXPECT_EQ(some.attention_flops, kept.attention_flops) << name_of(c);
    EXPECT_EQ(some.matmul_flops, again.matmul_flops) << name_of(c);
    for (const Event& e : some.events)
      EXPECT_FALSE(e.phase == Phase::recompute && e.wire == Wire::send_recv) << name_of(c);
  }
}

TEST(Recompute, ComputesTheForwardAgain) {
  for (const Case& c : all_cases()) {
    const Count forward = count(layer_of(c, small_shape(), {.backward = false}).program);
    const Count kept = count(layer_of(c).program);
    const Count again = count(layer_of(c, small_shape(), {.recompute = true}).program);
    EXPECT_EQ(again.matmul_flops, kept.matmul_flops + forward.matmul_flops) << name_of(c);
    EXPECT_EQ(again.attention_flops, kept.attention_flops + forward.attention_flops) << name_of(c);
  }
}

Count recomputed(const std::string& expression, int degree) {
  return count(layer_of(expression, degree, small_shape(), {.recompute = true}).program);
}

TEST(Recompute, OfTpMakesSixAllReduces) {
  EXPECT_EQ(calls(recomputed("tp", 4), Wire::all_reduce, false), 6);
}

TEST(Recompute, OfTpSpMakesFourteenCollectives) {
  const Count count = recomputed("tp_sp", 4);
  EXPECT_EQ(calls(count, Wire::all_gather, false), 8);
  EXPECT_EQ(calls(count, Wire::reduce_scatter, false), 6);
}

TEST(Recompute, OfUlyssesMakesTwelveAllToAlls) {
  EXPECT_EQ(calls(recomputed("ulysses_zero3", 4), Wire::all_to_all, false), 12);
}

TEST(Recompute, OfTheRingSendsEightTimesTheKeysOrValues) {
  const LayerShape n = small_shape();
  const Count count = recomputed("ring_zero3", 4);
  EXPECT_EQ(sent(count, Phase::forward, false) + sent(count, Phase::recompute, false) +
                sent(count, Phase::backward, false),
            8 * n.b * n.L * n.c() * 2 * 3 / 4);
}

TEST(Recompute, OfOdysseusMakesSevenCollectivesAndFourOfEachMlpWeight) {
  const Count count = recomputed("odysseus_zero3", 4);
  EXPECT_EQ(calls(count, Wire::all_gather, false) + calls(count, Wire::reduce_scatter, false), 7);
  EXPECT_EQ(calls(count, Wire::all_gather, true), 2 * 3);
  EXPECT_EQ(calls(count, Wire::reduce_scatter, true), 2 * 1);
}

TEST(Recompute, OfZero3GathersNoWeightAThirdTime) {
  for (const char* name :
       {"ulysses_zero3", "ring_zero3", "kv_gather_zero3", "usp_zero3", "data_zero3"}) {
    const Count again = recomputed(name, 8);
    EXPECT_EQ(calls(again, Wire::all_gather, true), 2 * 6) << name;
    EXPECT_EQ(calls(again, Wire::reduce_scatter, true), 6) << name;
    EXPECT_EQ(again.sent_bytes().weight,
              count(layer_of(name, 8, small_shape()).program).sent_bytes().weight)
        << name;
  }
}

// ---- precision
// ------------------------------------------------------------------------------------

TEST(Retype, ScalesBytesAndKeepsElements) {
  for (const Case& c : all_cases()) {
    const Program p = layer_of(c).program;
    const Count narrow = count(p), wide = count(retype(p, DType::f64));
    ASSERT_EQ(narrow.events.size(), wide.events.size()) << name_of(c);
    for (std::size_t j = 0; j < narrow.events.size(); ++j) {
      const Event &a = narrow.events[j], &b = wide.events[j];
      const bool is_f32 =
          c.expression.find("ring_homing") != std::string::npos && a.tensor == "dk+dv";
      EXPECT_EQ(b.elements, a.elements) << name_of(c) << a.tensor;
      EXPECT_EQ(b.calls, a.calls) << name_of(c) << a.tensor;
      EXPECT_EQ(b.sent_bytes, a.sent_bytes * (is_f32 ? 2 : 4)) << name_of(c) << a.tensor;
    }
    EXPECT_EQ(narrow.flops(), wide.flops());
  }
}

// ---- operations
// -----------------------------------------------------------------------------------

TEST(Flops, OfAllRanksAreThoseOfOne) {
  for (const LayerShape& shape : {small_shape(), gelu_with_everything()}) {
    const Count one = count(one_rank(shape).program);
    for (const Case& c : all_cases()) {
      const Program p = layer_of(c, shape).program;
      std::int64_t matmul = 0, attention = 0;
      for (int rank = 0; rank < p.mesh().ranks(); ++rank) {
        const Count mine = count(p, rank);
        matmul += mine.matmul_flops;
        attention += mine.attention_flops;
      }
      EXPECT_EQ(matmul, one.matmul_flops) << name_of(c);
      EXPECT_EQ(attention, one.attention_flops) << name_of(c);
    }
  }
}

TEST(Flops, OfOneLayerAreThoseOfItsMatricesAndItsTriangle) {
  const LayerShape n = small_shape();
  const Count forward = count(one_rank(n, {.backward = false}).program),
              both = count(one_rank(n).program);
  const std::int64_t weights = 2 * n.d * n.a() + 2 * n.d * n.c() + 3 * n.d * n.i;
  const std::int64_t pairs = n.b * n.h() * n.L * (n.L + 1) / 2;
  EXPECT_EQ(forward.matmul_flops, 2 * n.b * n.L * weights);
  EXPECT_EQ(both.matmul_flops, 3 * forward.matmul_flops);
  EXPECT_EQ(forward.attention_flops, 4 * n.e * pairs);
  EXPECT_EQ(both.attention_flops, 14 * n.e * pairs);
}

// ---- the update
// -----------------------------------------------------------------------------------

TEST(Settle, OfTpSpSumsTheTwoNorms) {
  const Count update = count(settle_program(layer_of("tp_sp", 4, small_shape())));
  EXPECT_EQ(calls(update, Wire::all_reduce, true), 2);
  EXPECT_EQ(elements(update), 2 * small_shape().d);
  EXPECT_EQ(update.sent_bytes().total(), 2 * small_shape().d * 2 * 2 * 3 / 4);
}

TEST(Settle, OfTpSendsNothing) {
  EXPECT_TRUE(count(settle_program(layer_of("tp", 4, small_shape()))).events.empty());
}

TEST(Settle, OfDdpSumsEveryParameter) {
  for (const char* name : {"data_ddp", "ulysses_ddp", "ring_ddp"}) {
    const Layer layer = layer_of(name, 4, small_shape());
    const Count update = count(settle_program(layer));
    EXPECT_EQ(elements(update), parameters(layer)) << name;
    EXPECT_EQ(update.sent_bytes().weight, parameters(layer) * 2 * 2 * 3 / 4) << name;
    EXPECT_EQ(count(layer.program).sent_bytes().weight, 0) << name;
  }
}

TEST(Settle, OfZero3SendsNoMatrix) {
  for (const char* name : {"ulysses_zero3", "ring_zero3", "usp_zero3", "data_zero3"}) {
    const Count update = count(settle_program(layer_of(name, 8, small_shape())));
    EXPECT_EQ(elements(update), 2 * small_shape().d) << name;
    EXPECT_EQ(calls(update, Wire::all_reduce, true), 2) << name;
  }
}

TEST(Settle, OfReplicatedKeyHeadsSumsThemAmongTheirCopies) {
  LayerShape n = small_shape();
  n.k = 2;
  n.g = 8;
  const Count update = count(settle_program(layer_of("tp", 8, n)));  // 4 copies of each KV head
  EXPECT_EQ(update.events.size(), 2U);
  EXPECT_EQ(elements(update), 2 * n.d * n.e);
  EXPECT_EQ(update.sent_bytes().total(), 2 * n.d * n.e * 2 * 2 * 3 / 4);
}

// ---- length
// ---------------------------------------------------------------------------------------

TEST(Count, IsAffineInTheLength) {
  for (const Case& c : all_cases()) {
    std::vector<std::int64_t> sent;
    for (const std::int64_t L : {192, 384, 576}) {
      LayerShape shape = small_shape();
      shape.L = L;
      sent.push_back(count(layer_of(c, shape).program).sent_bytes().total());
    }
    EXPECT_EQ(sent[2] - sent[1], sent[1] - sent[0]) << name_of(c);
  }
}

TEST(Count, OfWeightsDoesNotKnowTheLength) {
  for (const Case& c : all_cases()) {
    LayerShape longer = small_shape();
    longer.L *= 2;
    EXPECT_EQ(count(layer_of(c, longer).program).sent_bytes().weight,
              count(layer_of(c).program).sent_bytes().weight)
        << name_of(c);
  }
}

TEST(Count, IsTheSameOnEveryRank) {
  for (const Case& c : all_cases()) {
    const Program p = layer_of(c).program;
    const std::int64_t first = count(p, 0).sent_bytes().total();
    for (int rank = 1; rank < p.mesh().ranks(); ++rank)
      EXPECT_EQ(count(p, rank).sent_bytes().total(), first) << name_of(c);
  }
}

// ---- runs that are cut out and put back
// ---------------------------------------------------------------------------------------

std::int64_t moved_by_runs(std::int64_t tiles) {
  LayerOptions options;
  options.mlp_tiles = tiles;
  const Program p = layer_of({"ulysses_zero3", "u=4"}, small_shape(), options).program;
  std::int64_t bytes = 0;
  for (const Step& step : p.steps())
    if (std::holds_alternative<Slice>(step.op) || std::holds_alternative<Put>(step.op))
      bytes += work_of(p, step, 0).moved_bytes;
  return bytes;
}

/// Forward x2 is cut and the result put together; backward x2 once more, dy cut, dx2 put: all read once, written once.
TEST(Count, OfTilesMovesEveryTokenOnceHoweverManyThereAre) {
  const LayerShape n = small_shape();
  for (const std::int64_t tiles : {2, 3, 8})
    EXPECT_EQ(moved_by_runs(tiles), 5 * 2 * n.b * n.L / 4 * n.d * 2) << tiles;
}

}  // namespace
}  // namespace ithaca
