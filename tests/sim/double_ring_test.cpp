// What a double ring sends, in which order and how long that takes beside a ring.
#include "models/positions.h"
#include "sim/count.h"
#include "sim/schedule.h"
#include "sim/time.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace ithaca {
namespace {

constexpr std::array deals{Deal::blocks, Deal::zigzag, Deal::stripes};

/// Bytes and calls over one axis of what walks in one phase.
Event walked(const Count& count, Phase phase, Axis axis, const std::string& tensor) {
  const auto it = std::ranges::find_if(count.events, [&](const Event& e) {
    return e.phase == phase && e.axes == AxisList{axis} && e.tensor == tensor;
  });
  return it == count.events.end() ? Event{} : *it;
}

TEST(DoubleRing, WithOneRankOnAnAxisIsTheProgramOfARing) {
  for (const Deal deal : deals)
    for (const bool inner_alone : {false, true}) {
      const Mesh mesh({{"o", inner_alone ? 1 : 4}, {"i", inner_alone ? 4 : 1}});
      const Axis o{0}, i{1}, all = inner_alone ? i : o;
      const auto text = [&](const Strategy& s) {
        return print(layer_program(small_shape(), s, mesh, {true}).program);
      };
      EXPECT_EQ(text(double_ring(o, i, deal, zero3({o, i}))), text(ring(all, deal, zero3({all}))));
      EXPECT_EQ(text(double_ring_homing(o, i, deal, ddp())), text(ring_homing(all, deal, ddp())));
    }
}

// One sample of 64 tokens, 2 KV heads of 4 elements, on 2 x 4 ranks: a block of keys and values is 2 x 8 tokens x 8
// elements = 128 elements, 256 bytes in bf16, 512 in f32.
TEST(DoubleRing, SendsWhatAHandCountGives) {
  const LayerShape shape = shape_of(64, 24, {2, 3, 4}, 32);
  const Mesh mesh = parse_mesh("o=2,i=4");
  const Axis o = mesh.axis("o"), i = mesh.axis("i");
  for (const char* const name : {"double_ring_zero3", "double_ring_zigzag_zero3"}) {
    const Count c = count(layer_of(name, mesh, shape).program);
    EXPECT_EQ(walked(c, Phase::forward, o, "k+v").sent_bytes, 1 * 256) << name;
    EXPECT_EQ(walked(c, Phase::forward, i, "k+v").sent_bytes, 6 * 256) << name;
    EXPECT_EQ(walked(c, Phase::backward, o, "k+v").sent_bytes, 1 * 256) << name;
    EXPECT_EQ(walked(c, Phase::backward, i, "k+v").sent_bytes, 6 * 256) << name;
    EXPECT_EQ(walked(c, Phase::backward, o, "dk+dv").sent_bytes, 1 * 256) << name;
    EXPECT_EQ(walked(c, Phase::backward, i, "dk+dv").sent_bytes, 6 * 256) << name;
  }
  const Count homing = count(layer_of("double_ring_homing_zero3", mesh, shape).program);
  EXPECT_EQ(walked(homing, Phase::backward, o, "k+v").sent_bytes, 1 * 256);
  EXPECT_EQ(walked(homing, Phase::backward, i, "k+v").sent_bytes, 6 * 256);
  EXPECT_EQ(walked(homing, Phase::backward, o, "dk+dv").sent_bytes, 2 * 512);
  EXPECT_EQ(walked(homing, Phase::backward, i, "dk+dv").sent_bytes, 7 * 512);
}

TEST(DoubleRing, SendsAsMuchAsARingOfAllItsRanks) {
  for (const char* const mesh : {"o=2,i=2", "o=2,i=4", "o=4,i=2", "o=8,i=2", "o=4,i=4"}) {
    const Mesh two = parse_mesh(mesh);
    const int o = two.ranks(Axis{0}), i = two.ranks(Axis{1});
    const Count c = count(layer_of("double_ring_zigzag_zero3", two, small_shape()).program),
                one = count(layer_of("ring_zigzag_zero3", o * i, small_shape()).program);
    EXPECT_EQ(c.sent_bytes().activation, one.sent_bytes().activation) << mesh;
    EXPECT_EQ(c.attention_flops, one.attention_flops) << mesh;
    for (const Phase phase : {Phase::forward, Phase::backward}) {
      EXPECT_EQ(walked(c, phase, Axis{0}, "k+v").calls, o - 1) << mesh;
      EXPECT_EQ(walked(c, phase, Axis{1}, "k+v").calls, o * (i - 1)) << mesh;
    }
    EXPECT_EQ(walked(c, Phase::backward, Axis{0}, "dk+dv").calls, o - 1) << mesh;
    EXPECT_EQ(walked(c, Phase::backward, Axis{1}, "dk+dv").calls, o * (i - 1)) << mesh;
  }
}

TEST(DoubleRing, InZigzagDealsTokensAsARingOfAllItsRanks) {
  const Mesh two = parse_mesh("o=3,i=4"), one = parse_mesh("r=12");
  const Dim over_two{DimName::L, 96, {{Axis{0}, Deal::zigzag}, {Axis{1}, Deal::zigzag}}},
      over_one{DimName::L, 96, {{Axis{0}, Deal::zigzag}}};
  for (int rank = 0; rank < 12; ++rank)
    EXPECT_EQ(positions(over_two, two, rank), positions(over_one, one, rank)) << rank;
}

TEST(DoubleRing, InZigzagGivesEveryRankTheSameWorkInEveryHop) {
  const Program p =
      layer_of("double_ring_zigzag_zero3", parse_mesh("o=2,i=4"), small_shape()).program;
  EXPECT_TRUE(uneven_axes(p).empty());
  int blocks = 0;
  for (const Step& step : p.steps())
    if (const auto* const attend = std::get_if<Attend>(&step.op)) {
      const bool own = attend->keys[0].back == 0 && attend->keys[1].back == 0;
      for (int rank = 0; rank < 8 && !own; ++rank)
        EXPECT_EQ(attention_pairs(p, step, rank), 12 * 12 / 2);
      ++blocks;
    }
  EXPECT_EQ(blocks, 8);
}

/// "O" a hop of keys and values on the outer axis, "i" on the inner one, "d" before those of gradients, "a" attention.
std::string order(const Program& p, Phase phase) {
  std::string text;
  for (const Step& step : p.steps()) {
    if (step.phase != phase) continue;
    if (const auto* const shift = std::get_if<Shift>(&step.op))
      text += fmt::format("{}{}", p[step.in[0]].name == "dk" ? "d" : "",
                          shift->axis == Axis{0} ? "O" : "i");
    if (std::holds_alternative<Attend>(step.op) || std::holds_alternative<AttendGrad>(step.op))
      text += "a";
  }
  return text;
}

TEST(DoubleRing, BeginsEveryOuterHopBeforeTheBlocksOfItsTurn) {
  const Mesh mesh = parse_mesh("o=3,i=2");
  const Program p = layer_of("double_ring_zero3", mesh, small_shape()).program;
  EXPECT_EQ(order(p, Phase::forward), "OiaaOiaaiaa");
  EXPECT_EQ(order(p, Phase::backward), "OiadiadOOiadiadOiadia");
  const Program homing = layer_of("double_ring_homing_zero3", mesh, small_shape()).program;
  EXPECT_EQ(order(homing, Phase::backward), "OiadiadOOiadiadOiadiadOdi");
}

double layer_s(const std::string& strategy, const Mesh& mesh, std::int64_t L,
               const Cluster& cluster) {
  LayerShape shape = shape_of(L, 4096, {32, 1, 128}, 11008);
  const Program p = layer_of(strategy, mesh, shape).program;
  return time(p, overlapped(p), ClusterCost(cluster)).end_s;
}

// Where both hide behind attention the double ring takes what its second stream of hops takes from kernels.
TEST(DoubleRing, OverNodesIsMuchFasterThanARingUnlessAttentionHidesBoth) {
  for (const char* const name : {"hgx-a800", "dgx-a100-80g", "dgx-h100"})
    for (const int nodes : {2, 4})
      for (const std::int64_t k : {32, 128, 512})
        for (const char* const form : {"ring_zigzag_ddp", "ring_homing_zigzag_ddp"}) {
          const Cluster cluster = load_cluster(std::string(name));
          const double both = layer_s(fmt::format("double_{}", form),
                                      Mesh({{"o", nodes}, {"i", 8}}), k << 10, cluster),
                       one = layer_s(form, Mesh({{"r", nodes * 8}}), k << 10, cluster);
          EXPECT_LE(both, one * (k == 512 ? 1.01 : 0.85))
              << name << " " << nodes << " nodes " << k << "k " << form;
        }
}

}  // namespace
}  // namespace ithaca
