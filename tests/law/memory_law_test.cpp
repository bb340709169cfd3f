// What must hold of memory plans whatever the strategy: the arena is recomputed here from
// lifetimes.
#include "models/wire.h"
#include "sim/memory.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace ithaca {
namespace {

struct Named {
  std::string name;
  Program program;
};

/// Every strategy with and without recompute, and their updates.
std::vector<Named> programs() {
  std::vector<Named> all;
  for (const Case& c : all_cases())
    for (const bool recompute : {false, true}) {
      const Layer layer = layer_of(c, small_shape(), {.recompute = recompute});
      const std::string name = c.expression + " on " + c.mesh + (recompute ? " recomputed" : "");
      all.push_back({name, layer.program});
      all.push_back({name + " update", settle_program(layer)});
    }
  return all;
}

std::int64_t bytes(const Program& p, ValueId v) {
  return local_bytes(p.type(v), p.mesh());
}

bool passed_on(const Program& p, const std::vector<Lifetime>& life, ValueId v, std::size_t step) {
  return std::ranges::any_of(p.steps()[step].out,
                             [&](ValueId o) { return life[o].takes_over == v; });
}

/// Values whose buffers are in use while `step` runs; a buffer that is taken over counts for its
/// new value.
std::vector<ValueId> held(const Program& p, const std::vector<Lifetime>& life, std::size_t step) {
  const auto now = static_cast<std::int64_t>(step);
  std::vector<ValueId> values;
  for (ValueId v = 0; v < p.values().size(); ++v)
    if (life[v].born <= now && now <= life[v].dies &&
        !(life[v].dies == now && passed_on(p, life, v, step)))
      values.push_back(v);
  return values;
}

TEST(Lifetimes, CoverEveryUse) {
  for (const auto& [name, p] : programs()) {
    const std::vector<Lifetime> life = lifetimes(p);
    for (std::size_t i = 0; i < p.steps().size(); ++i) {
      const auto now = static_cast<std::int64_t>(i);
      for (const ValueId v : p.steps()[i].in)
        EXPECT_TRUE(life[v].born < now && now <= life[v].dies) << name << " %" << v;
      for (const ValueId v : p.steps()[i].out) EXPECT_EQ(life[v].born, now) << name << " %" << v;
    }
    for (const ValueId v : p.outputs())
      EXPECT_EQ(life[v].dies, static_cast<std::int64_t>(p.steps().size())) << name;
  }
}

TEST(Lifetimes, OfStoredWeightsDoNotEnd) {
  for (const auto& [name, p] : programs()) {
    const std::vector<Lifetime> life = lifetimes(p);
    for (const ValueId v : p.inputs()) {
      if (p[v].role != Role::weight) continue;
      EXPECT_EQ(life[v].dies, static_cast<std::int64_t>(p.steps().size())) << name << " %" << v;
    }
  }
}

TEST(Lifetimes, OnlyADyingOperandOfTheSameSizeIsTakenOver) {
  for (const auto& [name, p] : programs()) {
    const std::vector<Lifetime> life = lifetimes(p);
    for (ValueId v = 0; v < p.values().size(); ++v) {
      const ValueId source = life[v].takes_over;
      if (source == no_value) continue;
      EXPECT_EQ(life[source].dies, life[v].born) << name << " %" << v;
      EXPECT_EQ(bytes(p, source), bytes(p, v)) << name << " %" << v;
      EXPECT_NE(p[source].role, Role::weight) << name << " %" << v;
    }
  }
}

TEST(Live, IsTheSumOfWhatIsHeldAndTheScratch) {
  for (const auto& [name, p] : programs()) {
    const MemoryPlan plan = memory(p);
    for (std::size_t i = 0; i < p.steps().size(); ++i) {
      std::int64_t sum = scratch_of(p, p.steps()[i]).bytes();
      for (const ValueId v : held(p, plan.lifetime, i)) sum += bytes(p, v);
      ASSERT_EQ(plan.live[i], sum) << name << " step " << i;
    }
  }
}

TEST(Live, IsTheSumOfItsRoles) {
  for (const auto& [name, p] : programs()) {
    const MemoryPlan plan = memory(p);
    ASSERT_EQ(plan.by_step.size(), plan.live.size());
    for (std::size_t i = 0; i < plan.live.size(); ++i) {
      EXPECT_EQ(std::accumulate(plan.by_step[i].begin(), plan.by_step[i].end(), std::int64_t{0}),
                plan.live[i])
          << name;
      EXPECT_GE(std::ranges::min(plan.by_step[i]), 0) << name;
    }
  }
}

TEST(Peak, IsTheMostThatIsLiveAndNoLessThanTheWeights) {
  for (const auto& [name, p] : programs()) {
    const MemoryPlan plan = memory(p);
    if (!plan.live.empty()) {
      EXPECT_EQ(plan.peak_bytes, std::ranges::max(plan.live)) << name;
      EXPECT_EQ(plan.peak_bytes, plan.live[plan.peak_step]) << name;
    }
    std::int64_t weights = 0;
    for (const ValueId v : p.inputs())
      if (p[v].role == Role::weight) weights += bytes(p, v);
    EXPECT_GT(plan.peak_bytes, weights) << name;
  }
}

struct Range {
  std::int64_t begin, end;
};

TEST(Arena, NeverGivesTwoLiveBuffersTheSameBytes) {
  for (const auto& [name, p] : programs()) {
    const MemoryPlan plan = memory(p);
    for (std::size_t i = 0; i < p.steps().size(); ++i) {
      std::vector<Range> used;
      for (const ValueId v : held(p, plan.lifetime, i))
        used.push_back({plan.offset[v], plan.offset[v] + bytes(p, v)});
      if (const std::int64_t scratch = scratch_of(p, p.steps()[i]).bytes(); scratch > 0)
        used.push_back({plan.scratch[i], plan.scratch[i] + scratch});
      std::ranges::sort(used, {}, &Range::begin);
      for (std::size_t j = 0; j < used.size(); ++j) {
        ASSERT_EQ(used[j].begin % 64, 0) << name << " step " << i;
        ASSERT_LE(used[j].end, plan.arena_bytes) << name << " step " << i;
        const std::int64_t before = j == 0 ? 0 : used[j - 1].end;
        ASSERT_GE(used[j].begin, before) << name << " step " << i;
      }
    }
  }
}

TEST(Arena, HoldsThePeakAndLittleMore) {
  for (const auto& [name, p] : programs()) {
    const MemoryPlan plan = memory(p);
    EXPECT_GE(plan.arena_bytes, plan.peak_bytes) << name;
    EXPECT_LE(plan.arena_bytes,
              plan.peak_bytes * 3 / 2 + 64 * static_cast<std::int64_t>(p.values().size()))
        << name;
  }
}

TEST(Recompute, KeepsOnlyTheInputOfTheLayer) {
  for (const Case& c : all_cases()) {
    const Layer layer = layer_of(c, small_shape(), {.recompute = true});
    const MemoryPlan plan = memory(layer.program);
    std::int64_t saved = 0;
    for (ValueId v = 0; v < layer.program.values().size(); ++v)
      if (plan.role[v] == MemoryRole::saved) saved += bytes(layer.program, v);
    EXPECT_EQ(saved, bytes(layer.program, layer.x)) << c.expression << " on " << c.mesh;
  }
}

}  // namespace
}  // namespace ithaca
