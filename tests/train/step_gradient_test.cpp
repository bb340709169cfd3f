// Gradients of a whole micro-batch on one rank beside finite differences of its loss.
#include "models/profile.h"
#include "models/step.h"
#include "tests/runtime/cpu_steps.h"

#include <bit>

namespace ithaca::test {
namespace {

constexpr std::int64_t vocabulary = 11;

LayerShape tiny() {
  LayerShape n;
  n.b = 2, n.L = 5, n.d = 6, n.k = 2, n.g = 3, n.e = 4, n.i = 7;
  return n;
}

struct Computed {
  MicroBatch micro;
  Tensors values;
  double valid = 0;

  explicit Computed(const StepShape& shape, StepOptions options = {}) {
    options.layer.dtype = DType::f64;
    options.unrolled = true;
    micro = micro_batch(shape, Mesh{}, options);
    micro.program = retype(micro.program, DType::f64);
    values = random_inputs(micro.program, 11);
    set_ids();
    values[micro.dloss] = {1 / valid};
    values = interpret(micro.program, values);
  }

  /// Every third label does not count.
  void set_ids() {
    for (std::size_t i = 0; i < values[micro.tokens].size(); ++i) {
      const auto token = static_cast<std::int64_t>(7 * i + 3) % vocabulary;
      const std::int64_t label = i % 3 == 0 ? -100 : static_cast<std::int64_t>(5 * i) % vocabulary;
      values[micro.tokens][i] = std::bit_cast<double>(token);
      values[micro.labels][i] = std::bit_cast<double>(label);
      valid += label >= 0 ? 1 : 0;
    }
  }

  double loss(ValueId value, const Tensor& direction, double step) const {
    Tensors moved(values.size());
    for (const ValueId v : micro.program.inputs()) moved[v] = values[v];
    for (std::size_t i = 0; i < direction.size(); ++i) moved[value][i] += step * direction[i];
    return interpret(micro.program, std::move(moved))[micro.loss][0] / valid;
  }

  /// The worst of three random directions, relative to the slope.
  double gradient_error(const Parameter& p, double scale = 1) const {
    constexpr double step = 1e-5, floor = 1e-3;
    double worst = 0;
    for (unsigned seed = 1; seed <= 3; ++seed) {
      const Tensor u = random_tensor(std::ssize(values[p.stored]), seed);
      const double measured = (loss(p.stored, u, step) - loss(p.stored, u, -step)) / (2 * step);
      double predicted = 0;
      for (std::size_t i = 0; i < u.size(); ++i) predicted += u[i] * values[p.grad][i] * scale;
      worst = std::max(worst, std::abs(measured - predicted) / std::max(std::abs(measured), floor));
    }
    return worst;
  }
};

void expect_right_gradients(const Computed& c) {
  EXPECT_TRUE(std::isfinite(c.values[c.micro.loss][0]));
  for (const Parameter& p : c.micro.parameters)
    EXPECT_LE(p.trained ? c.gradient_error(p) : 0, 1e-6) << p.name;
}

StepShape step_of(const LayerShape& shape, bool tied) {
  return {{{shape, {}, 2}}, vocabulary, tied};
}

TEST(StepGradient, OfBothEndsAndTheLayersMatchesFiniteDifferences) {
  expect_right_gradients(Computed(step_of(tiny(), false)));
}
TEST(StepGradient, OfAdaptersMatchesFiniteDifferences) {
  StepOptions options;
  options.layer.adapter_rank = 3;
  expect_right_gradients(Computed(step_of(tiny(), false), options));
}
TEST(StepGradient, InTheStepsOfEveryProfileMatchesFiniteDifferences) {
  for (const Profile& profile : profiles()) {
    SCOPED_TRACE(profile.name);
    LayerShape shape = tiny();
    shape.qk_norm = true;
    shape.fused_qkv = profile.kernels.packed_views;
    StepOptions options;
    options.layer.kernels = profile.kernels;
    options.layer.recompute = profile.kernels.results_held;
    options.layer.mlp_tiles = 2;
    expect_right_gradients(Computed(step_of(shape, false), options));
  }
}
TEST(StepGradient, OfOneTableForBothEndsMatchesFiniteDifferences) {
  expect_right_gradients(Computed(step_of(tiny(), true)));
}
TEST(StepGradient, OfALayerNormMatchesFiniteDifferences) {
  LayerShape n = tiny();
  n.norm = Norm::layer, n.act = Act::gelu;
  n.qkv_bias = n.o_bias = n.mlp_bias = true;
  expect_right_gradients(Computed(step_of(n, true)));
}
TEST(StepGradient, OfTilesAndRecomputationMatchesFiniteDifferences) {
  const StepOptions levers{
      .layer = {.recompute = true, .mlp_tiles = 3}, .loss_tiles = 2, .offload = true};
  for (const bool tied : {false, true})
    expect_right_gradients(Computed(step_of(tiny(), tied), levers));
}
TEST(StepGradient, OfEveryKernelInStepsMatchesFiniteDifferences) {
  for (const LogitsKernel logits : {LogitsKernel::wide, LogitsKernel::copies}) {
    const Kernels kernels{.norm_copies = true, .gate_apart = true, .logits = logits};
    for (const std::int64_t tiles : {1, 2})
      expect_right_gradients(
          Computed(step_of(tiny(), true), {.layer = {.kernels = kernels}, .loss_tiles = tiles}));
  }
}
TEST(StepGradientCheck, RefusesAGradientThatIsATenThousandthOff) {
  const Computed c(step_of(tiny(), true));
  for (const Parameter& p : c.micro.parameters)
    EXPECT_GT(c.gradient_error(p, 1.0001), 1e-5) << p.name;
}

}  // namespace
}  // namespace ithaca::test
