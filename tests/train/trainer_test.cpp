// The sharded training is the same training: losses of every strategy and lever beside one rank's.
#include "tests/train/training.h"

#include <gtest/gtest.h>

#include <cmath>

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

TEST(Trainer, LossOfEveryStrategyEqualsOneRanks) {
  for (const Case& c : all_cases()) {
    const auto curve = train({c.expression, c.mesh}, 8, 20);
    EXPECT_LE(apart(curve, one_rank_curve()), 1e-9) << c.expression << ' ' << c.mesh;
    for (const TrainedStep& step : curve) EXPECT_GT(step.sent_bytes, 0) << c.expression;
  }
}

}  // namespace
}  // namespace ithaca
