// Training under the kernels of every profile, with ends by a table of their own: losses of one rank, bytes and
// memory as priced.
#include "tests/profiles.h"
#include "tests/train/training.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

constexpr int steps = 3;

Training with(const Kernels& kernels, const Case& c = {}) {
  Training t;
  t.strategy = c.expression;
  t.mesh = c.mesh;
  t.options.step.layer.kernels = kernels;
  return t;
}

LayerShape packed_shape() {
  LayerShape shape = tiny_shape(1);
  shape.fused_qkv = true;
  return shape;
}

void expect_one_ranks_losses(const Training& t, const LayerShape& shape) {
  Training one = with(t.options.step.layer.kernels);
  one.tied = t.tied;
  const std::vector<TrainedStep> curve = train(t, 4, steps, shape);
  EXPECT_LE(apart(curve, train(one, 4, steps, shape)), 1e-10) << t.strategy;
  for (const TrainedStep& step : curve) EXPECT_GT(step.sent_bytes, 0) << t.strategy;
}

TEST(ProfileSteps, TrainAsOneRankDoes) {
  for (const Case& c : {Case{"tp_sp", "t=4"},
                        {"ulysses_zero3", "u=4"},
                        {"usp_zero3", "r=2,u=2"},
                        {"odysseus_zero3", "t=4"},
                        {"data_zero2", "p=4"}})
    for (const NamedKernels& k : all_kernels()) {
      SCOPED_TRACE(k.name);
      Training t = with(k.kernels, c);
      expect_one_ranks_losses(t, packed_shape());
      t.options.step.layer.recompute = true;
      t.options.step.layer.mlp_tiles = t.options.step.loss_tiles = 3;
      t.options.step.offload = true;
      t.options.micro_batches = c.mesh == "p=4" ? 1 : 2;
      expect_one_ranks_losses(t, packed_shape());
    }
}

TEST(ProfileSteps, WithEndsOfTheirOwnTrainAsOneRankDoes) {
  for (const Case& c : {Case{"tp_sp(t) | tp_sp(t) | local_zero3(t)", "t=4"},
                        {"ulysses_zero3(u) | ulysses_zero3(u) | local_gradop(u)", "u=4"},
                        {"ulysses_zero3(u) | local_zero3(u) | tp_sp(u)", "u=4"},
                        {"ring_zigzag_zero3(r) | local_zero3(r) | local_ddp(r)", "r=4"}})
    for (const bool tied : {false, true})
      for (const char* const profile : {"reference", "hf-deepspeed", "hf-fsdp1"}) {
        SCOPED_TRACE(profile);
        Training t = with(find_profile(profile).kernels, c);
        t.tied = tied;
        expect_one_ranks_losses(t, packed_shape());
        t.options.micro_batches = 2;
        t.options.step.loss_tiles = 2;
        expect_one_ranks_losses(t, packed_shape());
      }
}

}  // namespace
}  // namespace ithaca
