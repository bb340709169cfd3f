// The replay of a step through the allocator asks for what the memory readings say, and reserves no less.
#include "sim/reserved.h"

#include "sim/step.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace ithaca {
namespace {

constexpr std::int64_t mib = 1 << 20;
constexpr AllocatorPolicy plain{}, expandable{true, 0, 0};

struct Subject {
  std::string expression;
  Mesh mesh;
  LayerShape shape = small_shape();
  std::int64_t layers = 3, vocabulary = 80;
};

struct Programs {
  MicroBatch micro;
  Update update;
  ReservedMemory under(const AllocatorPolicy& policy) const {
    return reserved_memory(micro, update, policy);
  }
};

Programs programs(const Subject& s, StepOptions options = {}, const UpdateOptions& update = {}) {
  const Arrangement at = arrange(s.expression, s.mesh, s.shape);
  options.unrolled = true;
  options.layer.dtype = update.recipe.weight;
  options.layer.gradient = update.recipe.gradient;
  Programs step{
      micro_batch({{{s.shape, at.strategy, s.layers}}, s.vocabulary, false}, at.mesh, options), {}};
  step.update = update_program(step.micro.program, step.micro.parameters, update);
  return step;
}

Subject llama(const std::string& expression, std::int64_t tokens, std::int64_t batch = 1) {
  LayerShape shape = llama3_8b(tokens);
  shape.b = batch;
  return {expression, default_mesh(expression, 8, shape), shape, 4, 128256};
}

/// Of a whole Llama layer and its neighbours, where buffers are large.
std::vector<Subject> large() {
  std::vector<Subject> all{llama("data_ddp", 8192, 8)};
  for (const char* name : {"tp", "tp_sp", "odysseus_zero3", "ulysses_zero3", "ring_zigzag_zero3"})
    all.push_back(llama(name, 65536));
  return all;
}

std::vector<StepOptions> variants() {
  std::vector<StepOptions> all(4);
  all[1].layer.recompute = true;
  all[1].offload = true;
  all[2].layer.accumulate = true;
  all[3].layer.mlp_tiles = 2;
  all[3].loss_tiles = 3;
  return all;
}

/// The update is given the number of the step, an f32 that the reading leaves out.
std::int64_t expected_peak(const Programs& p) {
  const StepMemory m = step_memory(p.micro, p.update);
  return m.peak_bytes + (m.where.starts_with("update") ? 4 : 0);
}

TEST(Reserved, AsksForExactlyWhatTheReadingOfAStepHolds) {
  for (const Case& c : all_cases())
    for (const StepOptions& options : variants())
      for (const Recipe& recipe : recipes()) {
        UpdateOptions update;
        update.recipe = recipe;
        const Programs p = programs({c.expression, parse_mesh(c.mesh)}, options, update);
        for (const AllocatorPolicy& policy : {plain, expandable})
          EXPECT_EQ(p.under(policy).requested_peak_bytes, expected_peak(p))
              << c.expression << ' ' << c.mesh << ' ' << recipe.name << ' '
              << step_memory(p.micro, p.update).where;
      }
}

TEST(Reserved, OfAnUpdateAsksForNewWeightsOnlyWhereTheOldAreNotWrittenOver) {
  for (const char* name : {"data_ddp", "data_zero1", "ulysses_ddp"})
    for (const char* recipe : {"mixed", "bf16", "f32"}) {
      UpdateOptions update;
      update.recipe = find_recipe(recipe);
      const Programs p = programs(llama(name, 64, 8), {}, update);
      ASSERT_TRUE(step_memory(p.micro, p.update).where.starts_with("update")) << name << recipe;
      EXPECT_EQ(p.under(plain).requested_peak_bytes, expected_peak(p)) << name << recipe;
    }
}

TEST(Reserved, AsksForNothingThatLiesOnTheHost) {
  UpdateOptions on_host;
  on_host.on_host = true;
  const Programs p = programs(llama("ulysses_zero3", 8192), {}, on_host);
  EXPECT_EQ(p.under(plain).requested_peak_bytes, expected_peak(p));
}

TEST(Reserved, IsNeverLessThanAllocated) {
  for (const Subject& s : large())
    for (const StepOptions& options : variants()) {
      const Programs p = programs(s, options);
      for (const AllocatorPolicy& policy : {plain, expandable, {false, 1024 * mib, 0}}) {
        const ReservedMemory m = p.under(policy);
        EXPECT_GE(m.peak_bytes, m.allocated_at_peak_bytes) << s.expression;
        EXPECT_GE(m.peak_bytes, m.requested_peak_bytes) << s.expression;
        EXPECT_GE(m.peak_bytes, m.at_loss_bytes) << s.expression;
        EXPECT_GE(m.at_loss_bytes, m.allocated_at_loss_bytes) << s.expression;
      }
    }
}

/// No theorem: a best fit can do worse with one segment than with many.  It holds for these.
TEST(Reserved, WithExpandableSegmentsIsAtMostThatOfSegmentsOfTheirOwnAndAPageOfEachPool) {
  for (const Subject& s : large())
    for (const StepOptions& options : variants()) {
      const Programs p = programs(s, options);
      EXPECT_LE(p.under(expandable).peak_bytes, p.under(plain).peak_bytes + 22 * mib)
          << s.expression;
    }
}

TEST(Reserved, WithExpandableSegmentsIsWithinThreePercentOfLiveTensors) {
  for (const Subject& s : large()) {
    const ReservedMemory m = programs(s).under(expandable);
    EXPECT_LE(static_cast<double>(m.peak_bytes), 1.03 * static_cast<double>(m.requested_peak_bytes))
        << s.expression;
  }
}

TEST(Reserved, AtTheFirstLossIsWhatTheReadingHoldsInBlocksOf512Bytes) {
  for (const StepOptions& options : variants()) {
    const Programs p = programs(llama("tp_sp", 65536), options);
    const StepMemory live = step_memory(p.micro, p.update);
    const ReservedMemory m = p.under(expandable);
    EXPECT_GE(m.allocated_at_loss_bytes, live.at_loss_bytes);
    EXPECT_LE(m.allocated_at_loss_bytes, live.at_loss_bytes + mib);
  }
}

TEST(Reserved, AtTheLossIsOfAStepThatMeetsTheCacheOfTheOneBefore) {
  const ReservedMemory m = programs(llama("tp_sp", 65536)).under(plain);
  EXPECT_EQ(m.at_loss_bytes, m.peak_bytes) << "nothing goes back while the device has room";
}

TEST(Reserved, FitsOnADeviceOfWhatItReservesAndNotOnOneOfLessThanItsTensors) {
  for (const bool grows : {false, true}) {
    const Programs p = programs(llama("ulysses_zero3", 65536));
    const ReservedMemory free = p.under({grows, 0, 0});
    const ReservedMemory full = p.under({grows, 0, free.peak_bytes});
    EXPECT_TRUE(full.fits);
    EXPECT_EQ(full.peak_bytes, free.peak_bytes);
    const ReservedMemory small = p.under({grows, 0, free.requested_peak_bytes - 1});
    EXPECT_FALSE(small.fits);
    EXPECT_LT(small.peak_bytes, free.requested_peak_bytes);
  }
}

TEST(Reserved, IsLessOnADeviceThatIsFullWhenCachedMemoryCanGoBack) {
  Subject tp = llama("tp", 65536);
  tp.layers = 32;
  StepOptions options;
  options.layer.recompute = true;
  const Programs p = programs(tp, options);
  for (const bool grows : {false, true}) {
    const std::int64_t less = p.under({grows, 0, 0}).peak_bytes - (grows ? 32 : 512) * mib;
    const ReservedMemory tight = p.under({grows, 0, less});
    EXPECT_TRUE(tight.fits) << grows;
    EXPECT_LE(tight.peak_bytes, less) << grows;
  }
}

TEST(Reserved, OfAForwardAloneIsWeightsAndWhatItHolds) {
  StepOptions forward;
  forward.layer.backward = false;
  const Programs p = programs(llama("tp_sp", 8192), forward);
  EXPECT_EQ(p.under(plain).requested_peak_bytes, step_memory(p.micro, p.update).peak_bytes);
}

}  // namespace
}  // namespace ithaca
