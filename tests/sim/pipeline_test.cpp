// 1F1B and its interleaved form beside their closed forms and Megatron-LM's orders.
#include "sim/pipeline.h"

#include "models/error.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

constexpr double forward_s = 1, backward_s = 2;

PipelineRun balanced(const PipelineShape& n, double hop_s = 0) {
  const auto pieces = static_cast<std::size_t>(n.pieces());
  return run_pipeline(n, std::vector<PieceTime>(pieces, {forward_s, backward_s}), hop_s);
}

TEST(Pipeline, OfEqualPiecesTakesTheClosedForm) {
  for (const int p : {1, 2, 3, 4, 8})
    for (const int v : {1, 2, 5}) {
      if (p == 1 && v > 1) continue;
      for (const std::int64_t rounds : {1, 2, 7}) {
        const std::int64_t m = rounds * p;
        SCOPED_TRACE(testing::Message() << p << " stages, " << v << " chunks, " << m);
        const PipelineRun run = balanced({p, v, m});
        EXPECT_DOUBLE_EQ(run.step_s, static_cast<double>(m * v + p - 1) * (forward_s + backward_s));
        for (const StageRun& stage : run.stages)
          EXPECT_DOUBLE_EQ(stage.bubble_s, (p - 1) * (forward_s + backward_s));
      }
    }
}

TEST(Pipeline, WithFewerMicroBatchesThanStagesTakesTheClosedFormToo) {
  EXPECT_DOUBLE_EQ(balanced({8, 1, 3}).step_s, (3 + 8 - 1) * (forward_s + backward_s));
}

TEST(Pipeline, OfOneStageIsItsMicroBatchesOneAfterAnother) {
  const PipelineRun run = balanced({1, 1, 6}, 100);
  EXPECT_DOUBLE_EQ(run.step_s, 6 * (forward_s + backward_s));
  EXPECT_EQ(run.stages[0].in_flight, 1);
}

TEST(Pipeline, HoldsAsManyMicroBatchesAsStagesAreLeft) {
  for (const std::int64_t m : {2, 4, 20}) {
    const PipelineRun run = balanced({4, 1, m});
    for (int s = 0; s < 4; ++s)
      EXPECT_EQ(run.stages[static_cast<std::size_t>(s)].in_flight,
                std::min<std::int64_t>(m, 4 - s));
  }
}

TEST(Pipeline, InterleavedHoldsItsWarmUpAndOneMore) {
  const PipelineRun run = balanced({8, 5, 32});
  for (int s = 0; s < 8; ++s)
    EXPECT_EQ(run.stages[static_cast<std::size_t>(s)].in_flight, 2 * (8 - s - 1) + 4 * 8 + 1);
}

TEST(Pipeline, InterleavedNeverHoldsMoreThanThereIs) {
  for (const StageRun& stage : balanced({4, 3, 4}).stages) EXPECT_LE(stage.in_flight, 12);
  EXPECT_EQ(balanced({4, 3, 4}).stages[0].in_flight, 12);
}

TEST(Pipeline, IssuesMegatronsOrder) {
  std::string order;
  for (const Turn& t : turns({2, 2, 4}, 0))
    order +=
        (t.forward ? "F" : "B") + std::to_string(t.chunk) + std::to_string(t.micro_batch) + " ";
  // Two rounds of two micro-batches; 2 (2-0-1) + (2-1) 2 forwards before the first backward.
  EXPECT_EQ(order, "F00 F01 F10 F11 F02 B10 F03 B11 F12 B00 F13 B01 B12 B13 B02 B03 ");
}

TEST(Pipeline, HopsLengthenTheFirstAndTheLastMicroBatch) {
  // Down and up once, and every steady turn of the first stages waits for a round trip that their slack covers or not.
  const double least = (4 + 4 - 1) * (forward_s + backward_s) + 2 * 3 * 0.25;
  EXPECT_GE(balanced({4, 1, 4}, 0.25).step_s, least);
  EXPECT_GT(balanced({4, 1, 4}, 0.5).step_s, balanced({4, 1, 4}, 0.25).step_s);
}

TEST(Pipeline, WaitsForItsSlowestStage) {
  std::vector<PieceTime> pieces(4, {forward_s, backward_s});
  pieces[2] = {2, 4};
  const PipelineRun run = run_pipeline({4, 1, 64}, pieces, 0);
  EXPECT_GE(run.step_s, 64 * 6);
  EXPECT_LE(run.step_s, 64 * 6 + 3 * (forward_s + backward_s));
  EXPECT_LT(run.stages[2].bubble_s, run.stages[0].bubble_s);
}

TEST(Pipeline, RefusesMicroBatchesThatItsRoundsLeaveOver) {
  EXPECT_THROW(turns({4, 2, 6}, 0), InputError);
  EXPECT_THROW(turns({1, 2, 6}, 0), InputError);
  EXPECT_NO_THROW(turns({4, 1, 6}, 0));
}

TEST(Pipeline, OfManyTurnsIdlesWhileItFillsAndEmpties) {
  const PipelineRun run = balanced({64, 8, 512});
  EXPECT_DOUBLE_EQ(run.step_s, (512 * 8 + 63) * (forward_s + backward_s));
}

}  // namespace
}  // namespace ithaca
