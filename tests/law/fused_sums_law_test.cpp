// A product that adds to the sum of its gradient does all else as before, and moves less.
#include "models/layer.h"
#include "models/wire.h"
#include "sim/count.h"
#include "sim/memory.h"
#include "sim/step.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

LayerShape shape() {
  LayerShape n;
  n.b = 2, n.L = 64, n.d = 32, n.k = 2, n.g = 2, n.e = 8, n.i = 96;
  return n;
}

Program layer(bool fused, DType gradient) {
  LayerOptions options;
  options.accumulate = true;
  options.gradient = gradient;
  options.kernels.fused_sums = fused;
  return one_rank(shape(), options).program;
}

std::int64_t additions(const Program& p) {
  std::int64_t n = 0;
  for (const Step& s : p.steps())
    n += std::holds_alternative<Add>(s.op) && p[s.out[0]].role == Role::weight_gradient ? 1 : 0;
  return n;
}

TEST(FusedSums, NoMatrixHasAnAdditionOfItsOwn) {
  EXPECT_EQ(additions(layer(false, DType::f32)), 8);  // six matrices and two gains
  EXPECT_EQ(additions(layer(true, DType::f32)), 2);
}

TEST(FusedSums, SaveTheGradientItselfOnceOutAndOnceIn) {
  const Program apart = layer(false, DType::f32), fused = layer(true, DType::f32);
  EXPECT_EQ(count(apart).flops(), count(fused).flops());
  std::int64_t gradients = 0;
  for (const Step& s : fused.steps())
    if (std::holds_alternative<Einsum>(s.op) && s.in.size() > 2)
      gradients += local_elements(fused.type(s.out[0]), fused.mesh());
  EXPECT_EQ(count(apart).moved_bytes - count(fused).moved_bytes, gradients * (2 + 2));
  EXPECT_LE(memory(fused).peak_bytes, memory(apart).peak_bytes);
}

TEST(FusedSums, HandOnAnEmptyGradient) {
  const Program p = layer(true, DType::f32);
  for (const Step& s : p.steps()) {
    if (!std::holds_alternative<Einsum>(s.op)) continue;
    EXPECT_EQ(scratch_of(p, s).bytes(),
              s.in.size() == 2 ? 0 : 2 * local_elements(p.type(s.out[0]), p.mesh()));
  }
}

/// q and o have the shapes of each other's transposes, k and v one; gate and up are packed, down is alone.
TEST(FusedSums, KeepOneEmptyGradientOfEveryShape) {
  const auto peak = [](bool keeps) {
    StepShape step{{{shape(), {}, 4}}};
    StepOptions options;
    options.layer.accumulate = true;
    options.layer.kernels.fused_sums = true;
    options.layer.kernels.keeps_empty_gradients = keeps;
    const MicroBatch micro = micro_batch(step, Mesh{}, options);
    return step_memory(micro, {}).resident[static_cast<std::size_t>(MemoryRole::gradients)];
  };
  EXPECT_EQ(peak(true) - peak(false), 2 * (32 * 32 + 32 * 32 + 32 * 16 + 32 * 192 + 96 * 32));
}

TEST(FusedSums, OfAnotherDtypeNeedNoCast) {
  for (const bool fused : {false, true}) {
    const Program p = layer(fused, DType::f32);
    for (const Step& s : p.steps())
      EXPECT_FALSE(std::holds_alternative<Cast>(s.op) && p[s.out[0]].role == Role::weight_gradient);
  }
}

}  // namespace
}  // namespace ithaca
