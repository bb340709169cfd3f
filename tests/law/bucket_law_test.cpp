// Messages together: the same steps and bytes in fewer launches, of whole steps of every strategy.
#include "models/passes/bucket.h"
#include "models/step.h"
#include "models/update.h"
#include "sim/count.h"
#include "tests/messages.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

constexpr std::int64_t everything = 1'000'000'000;

struct Programs {
  Program micro, update;
};

Programs programs_of(const Case& c, StepOptions options, std::int64_t elements) {
  const LayerShape shape = small_shape();
  const Arrangement at = arrange(c.expression, parse_mesh(c.mesh), shape);
  options.vocabulary_multiple = 1;
  options.bucket_elements = elements;
  UpdateOptions update;
  update.clip_norm = 1;
  update.bucket_elements = elements;
  const MicroBatch micro = micro_batch({{{shape, at.strategy, 4}}, 80, false}, at.mesh, options);
  return {micro.program, update_program(micro.program, micro.parameters, update).program};
}

std::vector<StepOptions> variants() {
  std::vector<StepOptions> all(4);
  all[0].unrolled = true;
  all[1].layer.accumulate = true;
  all[1].layer.reduction = all[1].layer.gradient = DType::f32;
  all[2].layer.recompute = true;
  all[2].layer.mlp_tiles = 3;
  all[3].layer.recompute.norm = all[3].layer.recompute.act = true;
  all[3].layer.gradients_on_host = all[3].weights_on_host = true;
  return all;
}

void expect_same_work(const Program& alone, const Program& together) {
  const auto a = sent_by(alone), b = sent_by(together);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [stream, sent] : a) {
    EXPECT_EQ(b.at(stream).bytes, sent.bytes);
    EXPECT_LE(b.at(stream).launches, sent.launches);
  }
  const Count x = count(alone), y = count(together);
  EXPECT_EQ(x.flops(), y.flops());
  EXPECT_EQ(x.moved_bytes, y.moved_bytes);
  EXPECT_EQ(x.to_host_bytes, y.to_host_bytes);
  EXPECT_EQ(x.from_host_bytes, y.from_host_bytes);
}

TEST(Bucket, LeavesBytesAndWorkAndNeverMakesMoreLaunches) {
  for (const Case& c : all_cases())
    for (const StepOptions& options : variants())
      for (const std::int64_t elements : {std::int64_t{3'000}, everything}) {
        SCOPED_TRACE(fmt::format("{} on {}, {}", c.expression, c.mesh, elements));
        const Programs alone = programs_of(c, options, 0),
                       together = programs_of(c, options, elements);
        expect_same_work(alone.micro, together.micro);
        expect_same_work(alone.update, together.update);
        expect_order(together.micro);
        expect_order(together.update);
      }
}

TEST(Bucket, HoldsNoMoreThanItMay) {
  for (const Case& c : all_cases())
    for (const std::int64_t elements : {1'000, 10'000, 100'000}) {
      const Programs together = programs_of(c, {}, elements);
      for (const Program* const p : {&together.micro, &together.update})
        for (const Step& step : p->steps())
          if (std::holds_alternative<Move>(step.op) && step.in.size() > 1) {
            EXPECT_LE(traffic_of(*p, step).elements, elements) << c.expression;
          }
    }
}

TEST(Bucket, OfOneElementOrTwiceChangesNothing) {
  for (const Case& c : all_cases()) {
    const Programs alone = programs_of(c, {}, 0), once = programs_of(c, {}, everything);
    EXPECT_EQ(print(bucket(alone.micro, 1)), print(alone.micro)) << c.expression;
    EXPECT_EQ(print(bucket(once.micro, everything)), print(once.micro)) << c.expression;
    EXPECT_EQ(print(bucket(once.update, everything)), print(once.update)) << c.expression;
  }
}

TEST(Bucket, DoesNotJoinLayers) {
  for (const Case& c : all_cases()) {
    const Programs together = programs_of(c, variants()[0], everything);
    for (const Step& step : together.update.steps()) {
      if (!std::holds_alternative<Move>(step.op) || step.layer < 0) continue;
      EXPECT_LE(step.in.size(), 9U) << c.expression;
    }
  }
}

/// A layer of six matrices and two gains; every message of four layers, the embedding, the head and the final norm.
TEST(Bucket, SendsALayersWeightsAndGradientsAtOnce) {
  const auto saved = [](const char* expression, const char* mesh) {
    const Case c{expression, mesh};
    const Programs alone = programs_of(c, {}, 0), together = programs_of(c, {}, everything);
    return std::pair{launches(alone.micro) - launches(together.micro),
                     launches(alone.update) - launches(together.update)};
  };
  // Eight gradients of a layer, and two of the final norm and head.
  EXPECT_EQ(saved("data_ddp", "p=4"), std::pair(0L, 4 * 7 + 1L));
  // Six gathers forward, six backward and six scatters; two gains in the update.
  EXPECT_EQ(saved("data_zero3", "p=4"), std::pair(4 * 15L, 4L));
  // q, k, v and their cotangents beside it.
  EXPECT_EQ(saved("ulysses_zero3", "u=4"), std::pair(4 * 19L, 4L));
  EXPECT_EQ(saved("ulysses_ddp", "u=4"), std::pair(4 * 4L, 4 * 7 + 1L));
}

}  // namespace
}  // namespace ithaca
