// A pipelined step beside the step it is a pipeline of.
#include "planner/pipeline.h"

#include "models/error.h"
#include "planner/price.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace ithaca {
namespace {

constexpr const char* strategy = "data_zero1(p) * tp_sp(t)";

Job job(const Pipeline& pipeline, std::int64_t micro_batches = 8) {
  const ModelSpec model = load_model("llama-3.1-8b");
  Job job{model.name, layer_shape(model, 2, 4096), model.layers, load_cluster("dgx-a100-80g"),
          4 * pipeline.stages};
  job.vocabulary = 128256;
  job.micro_batches = micro_batches;
  job.profile = find_profile("megatron");
  job.recipe = find_recipe("mixed-f32-grads");
  job.pipeline = pipeline;
  return job;
}
PricedStrategy priced(const Job& job) {
  return price(job, strategy, parse_mesh("p=2,t=2"), {});
}
std::int64_t weights(const PricedStrategy& p) {
  return p.need.memory.resident[static_cast<std::size_t>(MemoryRole::weights)];
}

TEST(PipelinedStep, OfOneStageIsTheStep) {
  const PricedStrategy plain = priced(job({})), one = priced(job({1, 1}));
  EXPECT_FALSE(one.pipeline.has_value());
  EXPECT_EQ(plain.peak_bytes(), one.peak_bytes());
  EXPECT_DOUBLE_EQ(plain.time.step_s, one.time.step_s);
}

TEST(PipelinedStep, MicroBatchIsItsForwardAndItsBackward) {
  const StepTime t = priced(job({})).time;
  EXPECT_GT(t.forward_s, 0);
  EXPECT_GT(t.backward_s, 1.5 * t.forward_s);
  EXPECT_LT(t.backward_s, 2.5 * t.forward_s);
  EXPECT_NEAR(t.forward_s + t.backward_s, t.micro_batch_s, 1e-12);
}

TEST(PipelinedStep, HoldsWeightsOfOneStage) {
  const std::int64_t whole = weights(priced(job({})));
  for (const Pipeline n : {Pipeline{4, 1}, Pipeline{4, 2}}) {
    const std::int64_t stage = weights(priced(job(n)));
    EXPECT_GT(stage, whole / 4);
    EXPECT_LT(stage, whole / 3);  // its layers, and one of the two tables
  }
}

TEST(PipelinedStep, HoldsOneMicroBatchMoreForEachStageFurtherFromTheEnd) {
  const PricedStrategy p = priced(job({8, 1}, 16));
  const std::vector<std::int64_t>& peak = p.pipeline->peak_bytes;
  ASSERT_EQ(peak.size(), 8U);
  for (std::size_t s = 2; s + 2 < peak.size(); ++s)
    EXPECT_EQ(peak[s] - peak[s + 1], peak[1] - peak[2]) << s;
  EXPECT_GT(peak[1] - peak[2], 0);
  EXPECT_EQ(p.pipeline->fullest, 0);
  EXPECT_EQ(p.need.memory.peak_bytes, peak[0]);
  EXPECT_EQ(
      std::accumulate(p.need.memory.by_role.begin(), p.need.memory.by_role.end(), std::int64_t{0}),
      peak[0]);
}

TEST(PipelinedStep, NeedsLessTheMoreOfWhatItSavedIsOffloaded) {
  const Job none = job({8, 2}, 16);
  std::int64_t before = priced(none).peak_bytes();
  for (const double part : {0.25, 0.5, 0.75, 1.0}) {
    Job some = none;
    some.pipeline.offloaded = part;
    const PricedStrategy p = priced(some);
    EXPECT_LT(p.peak_bytes(), before) << part;
    EXPECT_GT(p.need.memory.host_bytes, 0);
    before = p.peak_bytes();
  }
}

TEST(PipelinedStep, TakesItsSlowestStageAndTheBubble) {
  const PricedStrategy p = priced(job({4, 1}, 8));
  const double busiest = std::ranges::max(p.pipeline->run.stages, {}, &StageRun::busy_s).busy_s;
  EXPECT_NEAR(busiest, 8 * p.time.micro_batch_s, 1e-9);
  double others =
      0;  // the head makes the last stage the slowest; the first micro-batch passes the others before
  for (std::size_t s = 0; s < 3; ++s) others += p.pipeline->run.stages[s].busy_s / 8;
  EXPECT_NEAR(p.pipeline->run.step_s, busiest + others, 6 * p.pipeline->hop_s + 1e-9);
  EXPECT_DOUBLE_EQ(p.time.step_s, p.pipeline->run.step_s + p.time.update_s);
}

TEST(PipelinedStep, InTurnHasASmallerBubble) {
  EXPECT_LT(priced(job({4, 4}, 8)).pipeline->run.step_s,
            priced(job({4, 1}, 8)).pipeline->run.step_s);
}

TEST(PipelinedStep, SendsTheResidualStreamBothWays) {
  const PricedStrategy p = priced(job({4, 1}, 8));
  // Two samples over p, 4096 tokens over t, 4096 wide, in bf16.
  EXPECT_EQ(p.pipeline->hop_bytes, 2 / 2 * 4096 / 2 * 4096 * 2);
  std::int64_t sent = 0;
  for (const Event& e : p.step.events)
    if (e.wire == Wire::send_recv) sent += e.sent_bytes;
  const bool at_an_end = p.pipeline->fullest == 0 || p.pipeline->fullest == 3;
  EXPECT_EQ(sent, (at_an_end ? 1 : 2) * 8 * p.pipeline->hop_bytes);
}

/// Two stages, each a node of eight.
PricedStrategy on_two_nodes(Job job, std::int64_t nics) {
  job.gpus = 16;
  job.cluster.nics_per_node = nics;
  job.cluster.inter.bandwidth_bytes_per_s =
      static_cast<double>(nics) * job.cluster.nic_bytes_per_s / 8;
  return price(job, "tp_sp(t)", parse_mesh("t=8"), {});
}

TEST(PipelinedStep, RanksThatSendBesideEachOtherShareTheirNics) {
  const double own = on_two_nodes(job({2, 1}), 8).pipeline->hop_s,
               shared = on_two_nodes(job({2, 1}), 1).pipeline->hop_s;
  const double bytes = 2.0 * 4096 / 8 * 4096 * 2,
               nic = load_cluster("dgx-a100-80g").nic_bytes_per_s;
  EXPECT_NEAR(shared - own, 7 * bytes / nic, 0.2 * 7 * bytes / nic);
  EXPECT_LT(priced(job({2, 1})).pipeline->hop_s, own);  // over NVLink, of twice the bytes
}

TEST(PipelinedStep, CausesAddUpToIt) {
  for (const Pipeline n : {Pipeline{4, 1}, Pipeline{4, 2}, Pipeline{2, 1}})
    for (const bool early : {false, true}) {
      Job some = job(n);
      some.tied = early;
      some.profile.streams.last_sums = early;
      const PricedStrategy p = priced(some);
      double all_s = 0;
      for (const Cause& cause : pipeline_causes(some, p.arrangement, {})) all_s += cause.seconds;
      EXPECT_NEAR(all_s, p.time.step_s, 1e-3 * p.time.step_s) << n.stages << " x " << n.chunks;
    }
}

TEST(PipelinedStep, HidesTheSumsThatRunBehindItsLastBackward) {
  Job late = job({4, 1}), early = late;
  early.profile.streams.last_sums = true;
  const PricedStrategy a = priced(late), b = priced(early);
  EXPECT_GT(b.time.hidden_s, 0);
  EXPECT_LT(b.time.hidden_s, b.time.update_s);
  EXPECT_DOUBLE_EQ(b.time.step_s, a.time.step_s - b.time.hidden_s);
}

TEST(PipelinedStep, RefusesLayersItsPiecesLeaveOver) {
  EXPECT_THROW(priced(job({3, 1}, 6)), InputError);
  EXPECT_THROW(priced(job({4, 3}, 8)), InputError);
  EXPECT_THROW(priced(job({4, 2}, 6)), InputError);
}

}  // namespace
}  // namespace ithaca
