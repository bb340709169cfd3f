#include "planner/reserved.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

Job llama_job(std::int64_t layers) {
  const ModelSpec model = load_model("llama-3.1-8b");
  Job job{model.name, layer_shape(model, 1, 32768), layers, load_cluster("dgx-a100-80g"), 8};
  job.vocabulary = 128256;
  return job;
}

TEST(Reserved, IsNotReplayedBeyondTheMostStepsOfTheProgramWrittenOut) {
  for (const std::int64_t layers : {1, 3, 7}) {
    Job job = llama_job(layers);
    job.levers.mlp_tiles = 5;
    job.levers.loss_tiles = 7;
    const Arrangement at = arrange("ulysses_zero3", parse_mesh("u=8"), job.shape);
    const auto steps = std::ssize(step_of(job, at, {}, true).micro.program.steps());
    EXPECT_TRUE(reserved(job, at, {}, steps).has_value()) << layers;
    EXPECT_FALSE(reserved(job, at, {}, steps - 1).has_value()) << layers;
  }
}

TEST(Reserved, IsAtLeastTheLiveTensorsOfThePrice) {
  const Job job = llama_job(32);
  const PricedStrategy priced = price(job, "tp_sp", parse_mesh("t=8"), {});
  const auto r = reserved(job, priced.arrangement, {});
  ASSERT_TRUE(r.has_value());
  EXPECT_EQ(r->segments.requested_peak_bytes, priced.need.memory.peak_bytes);
  EXPECT_EQ(r->expandable.requested_peak_bytes, priced.need.memory.peak_bytes);
  EXPECT_GE(r->segments.peak_bytes, priced.need.memory.peak_bytes);
  EXPECT_GE(r->expandable.peak_bytes, priced.need.memory.peak_bytes);
  EXPECT_NE(r->segments.peak_bytes, r->expandable.peak_bytes);
}

}  // namespace
}  // namespace ithaca
