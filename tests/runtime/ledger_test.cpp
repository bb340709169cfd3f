#include "runtime/ledger.h"

#include "models/layer.h"
#include "runtime/dependencies.h"
#include "sim/timeline.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

TEST(Ledger, RemembersTheMostHeldWhileStepsRan) {
  Ledger ledger(100);
  ledger.take(0, 40);
  ledger.take(40, 60);
  ledger.give_back(40, 60);
  ledger.observe();
  ledger.take(90, 10);
  ledger.observe();
  ledger.give_back(0, 40);
  EXPECT_EQ(ledger.peak_bytes(), 50);
  EXPECT_EQ(ledger.held_bytes(), 10);
}

TEST(LedgerDeathTest, FindsOutAPlanThatIsWrong) {
  Ledger ledger(100);
  ledger.take(10, 20);
  EXPECT_DEATH(ledger.take(29, 1), "overlaps");
  EXPECT_DEATH(ledger.take(0, 11), "overlaps");
  EXPECT_DEATH(ledger.take(95, 6), "outside");
  EXPECT_DEATH(ledger.give_back(10, 19), "not held");
}

TEST(Dependencies, WaitForMakersOnOtherLanesOnly) {
  LayerShape n;
  n.L = n.d = n.i = 16;
  n.k = n.e = 4;
  const Mesh mesh({{"t", 2}});
  const Layer layer = layer_program(n, tp_sp({{}, {mesh.axis("t")}}), mesh);
  const Program& p = layer.program;
  const auto waits = dependencies(p, memory(p));
  std::vector<std::uint32_t> maker(p.values().size(), ~0U);
  for (std::uint32_t i = 0; i < p.steps().size(); ++i) {
    for (const std::uint32_t other : waits[i]) {
      EXPECT_LT(other, i);
      EXPECT_NE(lane_of(p, p.steps()[other]), lane_of(p, p.steps()[i]));
    }
    for (const ValueId v : p.steps()[i].in) {
      if (maker[v] == ~0U || lane_of(p, p.steps()[maker[v]]) == lane_of(p, p.steps()[i])) continue;
      ASSERT_EQ(waits[i].size(), 1U) << "two lanes";
      EXPECT_GE(waits[i][0], maker[v]);
    }
    for (const ValueId v : p.steps()[i].out) maker[v] = i;
  }
}

}  // namespace
}  // namespace ithaca
