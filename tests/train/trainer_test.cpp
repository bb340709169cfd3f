// The sharded training is the same training: losses of every strategy beside one rank's.
#include "tests/train/training.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

const std::vector<TrainedStep>& one_rank_curve() {
  static const std::vector<TrainedStep> curve = train({}, 8, 20);
  return curve;
}

TEST(Trainer, LearnsOnOneRank) {
  const auto& curve = one_rank_curve();
  EXPECT_NEAR(curve.front().loss, std::log(256.0), 0.05);
  EXPECT_LT(curve.back().loss, curve.front().loss - 0.5);
  for (const TrainedStep& step : curve) EXPECT_EQ(step.sent_bytes, 0);
}

TEST(Trainer, LearnsInF32WithEveryRecipe) {
  for (const Recipe& recipe : recipes()) {
    Training t;
    t.options.dtype = DType::f32;
    t.options.update.recipe = recipe;
    EXPECT_LE(apart(train(t, 8, 20), one_rank_curve()), 1e-4) << recipe.name;
  }
}

TEST(Trainer, LossOfEveryStrategyEqualsOneRanks) {
  for (const Case& c : all_cases()) {
    const int steps = parse_mesh(c.mesh).ranks() <= 4 ? 20 : 3;
    const auto curve = train({c.expression, c.mesh}, 8, steps);
    EXPECT_LE(apart(curve, one_rank_curve()), 1e-9) << c.expression << ' ' << c.mesh;
    for (const TrainedStep& step : curve) EXPECT_GT(step.sent_bytes, 0) << c.expression;
  }
}

TEST(Trainer, LossUnderEveryWayToKeepWeightsEqualsOneRanks) {
  for (const std::string strategy : {"data", "ulysses", "ring_zigzag"})
    for (const char* keep : {"_ddp", "_zero1", "_zero2", "_zero3", "_gradop"})
      for (const char* profile : {"reference", "deepspeed"})
        for (const std::int64_t micro_batches : {1, 4}) {
          const bool alike =
              std::string_view(keep) != "_zero1" && std::string_view(keep) != "_zero2";
          if (alike && profile == std::string_view("deepspeed")) continue;
          Training t{strategy + keep + "(x)", "x=2"};
          t.profile = profile;
          t.options.micro_batches = micro_batches;
          const auto curve = train(t, 8, 3);
          EXPECT_LE(apart(curve, one_rank_curve()), 1e-9) << t.strategy << ' ' << profile;
          for (const TrainedStep& step : curve) EXPECT_GT(step.sent_bytes, 0) << t.strategy;
        }
}

TEST(Trainer, LossUnderHsdpAndOtherMixturesEqualsOneRanks) {
  for (const char* strategy :
       {"data_ddp(p) * ulysses_zero3(u)", "data_ddp(p) * data_gradop(u)",
        "data_zero1(p) * ulysses_zero3(u)", "data_zero2(p) * ulysses_zero1(u)",
        "data_zero1(p) * ring_zigzag_zero2(u)",
        "data_zero2(p) * ulysses_zero3(u) | "
        "data_ddp(p) * local_zero1(u)"})
    for (const std::int64_t micro_batches : {1, 2}) {
      Training t{strategy, "p=2,u=2"};
      t.options.micro_batches = micro_batches;
      const auto curve = train(t, 8, 5);
      EXPECT_LE(apart(curve, one_rank_curve()), 1e-9) << strategy;
      for (const TrainedStep& step : curve) EXPECT_GT(step.sent_bytes, 0) << strategy;
    }
}

TEST(Trainer, LayersThatDifferAndChangeTheResidualStreamEqualOneRanks) {
  const LayerShape shape = tiny_shape(8);
  const Mesh mesh = parse_mesh("t=4");
  const auto run = [&](const char* strategy) {
    return LayerRun{shape, arrange(strategy, mesh, shape).strategy, 1};
  };
  const Batches batches = licence(8, 5, shape.L);
  Training three;
  three.layers = 3;
  const auto expected = train(three, batches);
  for (const std::vector<LayerRun>& runs :
       {std::vector{run("tp(t)"), run("tp_sp(t)"), run("odysseus_zero3(t)")},
        {run("ulysses_zero1(t)"), run("tp(t)"), run("ulysses_zero3(t)")},
        {run("tp_sp(t)"), run("kv_gather_zero2(t)"), run("tp(t) | local_ddp(t)")}}) {
    const auto curve = train(Trainer({runs, 256}, mesh, {}), batches);
    EXPECT_LE(apart(curve, expected), 1e-9);
    for (const TrainedStep& step : curve) EXPECT_GT(step.sent_bytes, 0);
  }
}

/// The protocol of Ulysses Plus: the same samples a step, split over ranks at once or over the sequence one by one.
/// Sums are taken chunk by chunk in the order of the ranks; only an all-reduce cuts its chunks elsewhere.
TEST(Trainer, MessagesTogetherGiveTheSameBits) {
  for (const Case& c : {Case{"ulysses_zero3", "u=4"},
                        {"ring_zigzag_zero2", "r=4"},
                        {"data_zero1(p) * tp_sp(t)", "p=2,t=2"},
                        {"data_ddp", "p=4"}}) {
    Training alone{c.expression, c.mesh}, together = alone;
    together.options.step.bucket_elements = together.options.update.bucket_elements = 1'000'000;
    const auto a = train(alone, 8, 10), b = train(together, 8, 10);
    EXPECT_GT(b.front().sent_bytes, 0) << c.expression;
    EXPECT_EQ(a.front().sent_bytes, b.front().sent_bytes) << c.expression;
    EXPECT_LE(apart(a, b), c.expression == "data_ddp" ? 1e-12 : 0) << c.expression;
  }
}

TEST(Trainer, SequenceParallelAccumulationIsDataParallelism) {
  for (const char* keep : {"ddp", "zero1", "zero2", "zero3"})
    for (const std::string strategy : {"ulysses_", "ring_zigzag_"}) {
      const auto data = train({"data_" + std::string(keep), "p=4"}, 4, 20);
      Training sequence{strategy + keep + "(s)", "s=4"};
      sequence.options.micro_batches = 4;
      EXPECT_LE(apart(train(sequence, 4, 20), data), 1e-9) << strategy << keep;
    }
}

// ---- tokens that do not count
// ---------------------------------------------------------------------

void ignore(Sample& sample) {
  sample.labels.assign(sample.labels.size(), ignored_label);
}

std::vector<Training> trainings_of_four() {
  std::vector<Training> all;
  for (const Case& c : {Case{"data_zero3", "p=4"},
                        {"data_zero1", "p=4"},
                        {"ulysses_zero3", "u=4"},
                        {"tp_sp", "t=4"},
                        {"ring_zigzag_zero2", "r=4"}})
    all.push_back({c.expression, c.mesh});
  all.push_back({"ulysses_zero3", "u=4"});
  all.back().options.micro_batches = 4;
  return all;
}

TEST(Trainer, ARankOrMicroBatchWithoutAValidTokenCountsForNothing) {
  Batches batches = licence(4, 3, 32);
  for (std::vector<Sample>& batch : batches) ignore(batch[1]);
  const auto one = train({}, batches);
  for (const Training& t : trainings_of_four())
    EXPECT_LE(apart(train(t, batches), one), 1e-9) << t.strategy;
}

TEST(Trainer, AStepWithoutAValidTokenHasNoLossAndHarmsNothing) {
  Batches batches = licence(4, 3, 32);
  for (Sample& sample : batches[1]) ignore(sample);
  Training one;
  one.options.update.clip_norm = 1;
  const auto expected = train(one, batches);
  EXPECT_EQ(expected[1].valid_tokens, 0);
  EXPECT_EQ(expected[1].gradient_norm, 0);
  for (Training t : trainings_of_four()) {
    t.options.update.clip_norm = 1;
    const auto curve = train(t, batches);
    EXPECT_EQ(curve[1].loss, 0) << t.strategy;
    EXPECT_EQ(curve[1].gradient_norm, 0) << t.strategy;
    EXPECT_NEAR(curve[2].loss, expected[2].loss, 1e-9) << t.strategy;
  }
}

// ---- sizes that divide nothing
// --------------------------------------------------------------------

LayerShape odd_shape(std::int64_t kv_heads, bool biases) {
  LayerShape shape = shape_of(32, 23, {kv_heads, 12 / kv_heads, 6}, 20);
  if (!biases) return shape;
  shape.norm = Norm::layer;
  shape.act = Act::gelu;
  shape.qkv_bias = shape.o_bias = shape.mlp_bias = true;
  return shape;
}

TEST(Trainer, OddSizesFewKeyHeadsAndPaddedVocabulariesChangeNothing) {
  for (const std::int64_t kv_heads : {1, 2})
    for (const bool biases : {false, true})
      for (const std::int64_t multiple : {1, 128}) {
        Training one{"", "", {}, biases};
        one.vocabulary = 259;
        one.options.update.clip_norm = 0.5;
        const LayerShape shape = odd_shape(kv_heads, biases);
        const auto expected = train(one, 4, 5, shape);
        for (const Case& c : {Case{"tp", "t=4"},
                              {"tp_sp", "t=4"},
                              {"odysseus_zero3", "t=4"},
                              {"ulysses_zero3", "u=4"},
                              {"ulysses_zero2", "u=4"},
                              {"data_zero1(p) * tp_sp(t)", "p=2,t=2"},
                              {"data_zero3(p) * tp(t)", "p=2,t=2"},
                              {"usp_zigzag_zero1", "r=2,u=2"}}) {
          Training t = one;
          t.strategy = c.expression;
          t.mesh = c.mesh;
          t.options.step.vocabulary_multiple = multiple;
          EXPECT_LE(apart(train(t, 4, 5, shape), expected), 1e-9)
              << c.expression << ' ' << kv_heads << " KV heads, biases " << biases;
        }
      }
}

}  // namespace
}  // namespace ithaca
