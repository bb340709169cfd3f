#include "models/layer.h"
#include "tests/runtime/cpu_steps.h"

namespace ithaca::test {
namespace {

/// The layer in f64 on one rank, with random inputs and all values computed.
struct Computed {
  Layer layer;
  Tensors values;

  explicit Computed(const LayerShape& shape, bool recompute = false, const Kernels& kernels = {})
      : layer(one_rank(shape, {.recompute = recompute, .dtype = DType::f64, .kernels = kernels})) {
    layer.program = retype(layer.program, DType::f64);
    values = interpret(layer.program, random_inputs(layer.program, 11));
  }

  /// <y, dy> after `value` moved by `step` along `direction`.
  double loss(ValueId value, const Tensor& direction, double step) const {
    Tensors moved(values.size());
    for (const ValueId v : layer.program.inputs()) moved[v] = values[v];
    for (std::size_t i = 0; i < direction.size(); ++i) moved[value][i] += step * direction[i];
    const Tensors now = interpret(layer.program, std::move(moved));
    return inner(now[layer.y], now[layer.dy]);
  }

  static double inner(const Tensor& a, const Tensor& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }
};

/// Relative difference between the slope that `gradient` predicts and central differences, the
/// worst of three random directions.  Slopes below the floor are compared with it: the bias of keys
/// without rope shifts all scores of a row alike and has no gradient.
double gradient_error(const Computed& c, ValueId value, const Tensor& gradient) {
  constexpr double step = 1e-5, floor = 1e-3;
  double worst = 0;
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const Tensor u = random_tensor(static_cast<std::int64_t>(gradient.size()), seed);
    const double measured = (c.loss(value, u, step) - c.loss(value, u, -step)) / (2 * step);
    const double predicted = Computed::inner(gradient, u);
    worst = std::max(worst, std::abs(measured - predicted) / std::max(std::abs(measured), floor));
  }
  return worst;
}

void expect_right_gradients(const Computed& c) {
  EXPECT_LE(gradient_error(c, c.layer.x, c.values[c.layer.dx]), 1e-6) << "x";
  for (const Parameter& w : c.layer.weights)
    EXPECT_LE(gradient_error(c, w.stored, c.values[w.grad]), 1e-6)
        << c.layer.program[w.stored].name;
}

/// Causal, rotary, two KV heads of three queries; sizes without common factors.
LayerShape llama() {
  LayerShape n;
  n.b = 2, n.L = 5, n.d = 6, n.k = 2, n.g = 3, n.e = 4, n.i = 7;
  return n;
}
LayerShape with_biases(LayerShape n) {
  n.qkv_bias = n.o_bias = n.mlp_bias = true;
  return n;
}
LayerShape neox() {
  LayerShape n = with_biases(llama());
  n.norm = Norm::layer, n.act = Act::gelu;
  n.fused_qkv = n.parallel_residual = true;
  return n;
}

TEST(CpuGradient, OfALlamaLayerMatchesFiniteDifferences) {
  expect_right_gradients(Computed(llama()));
}
TEST(CpuGradient, OfARecomputedLayerMatchesFiniteDifferences) {
  expect_right_gradients(Computed(llama(), true));
}
TEST(CpuGradient, OfBiasesMatchesFiniteDifferences) {
  expect_right_gradients(Computed(with_biases(llama())));
}
TEST(CpuGradient, OfAFusedParallelLayerNormMatchesFiniteDifferences) {
  expect_right_gradients(Computed(neox()));
}
TEST(CpuGradient, OfASequentialGeluLayerWithoutRopeMatchesFiniteDifferences) {
  LayerShape n = neox();
  n.rope = n.parallel_residual = n.fused_qkv = false;
  n.g = 1;
  expect_right_gradients(Computed(n));
}
TEST(CpuGradient, OfHeadAndPostNormsWithGegluMatchesFiniteDifferences) {
  LayerShape n = llama();
  n.act = Act::geglu;
  n.qk_norm = n.post_norms = true;
  expect_right_gradients(Computed(n));
}
TEST(CpuGradient, OfALayerNormWithPostNormsMatchesFiniteDifferences) {
  LayerShape n = llama();
  n.norm = Norm::layer;
  n.post_norms = true;
  expect_right_gradients(Computed(n));
}

TEST(CpuGradient, OfNormsGatesAndRotationsInStepsOfTheirOwnMatchesFiniteDifferences) {
  constexpr Kernels steps{
      .norm_copies = true, .gate_apart = true, .packed_views = true, .rotation_tables = true};
  for (const Act act : {Act::swiglu, Act::geglu})
    for (const bool recompute : {false, true}) {
      LayerShape n = with_biases(llama());
      n.act = act;
      n.fused_qkv = n.qk_norm = n.post_norms = true;
      expect_right_gradients(Computed(n, recompute, steps));
    }
}

TEST(CpuGradient, UnderAMaskMatchesFiniteDifferences) {
  for (const char* const mask :
       {"full", "window:2", "documents:2,3", "fixed:1,2,1", "strided:1,1,2"}) {
    SCOPED_TRACE(mask);
    LayerShape n = llama();
    n.mask = parse_mask(mask, n.L, {}, "mask");
    expect_right_gradients(Computed(n));
  }
}

TEST(CpuGradientCheck, RefusesAGradientThatIsOnePercentOff) {
  const Computed c(llama());
  for (const Parameter& w : c.layer.weights) {
    Tensor wrong = c.values[w.grad];
    for (double& element : wrong) element *= 1.01;
    EXPECT_GE(gradient_error(c, w.stored, wrong), 1e-3);
    wrong = c.values[w.grad];
    *std::ranges::max_element(wrong) *= 1.01;
    EXPECT_GE(gradient_error(c, w.stored, wrong), 1e-5);
  }
}

TEST(CpuLayer, InF32AgreesWithF64) {
  const Computed c(neox());
  const Program p = retype(c.layer.program, DType::f32);
  TensorsOf<float> values(c.values.size());
  for (const ValueId v : p.inputs()) values[v].assign(c.values[v].begin(), c.values[v].end());
  values = interpret(p, std::move(values));
  for (const ValueId v : p.outputs())
    expect_close(Tensor(values[v].begin(), values[v].end()), c.values[v], 1e-5);
}

}  // namespace
}  // namespace ithaca::test
