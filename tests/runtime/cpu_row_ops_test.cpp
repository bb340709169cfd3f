#include "tests/runtime/cpu_steps.h"

#include <fmt/format.h>
#include <functional>
#include <numbers>

namespace ithaca::test {
namespace {

using enum DimName;

/// A program of one step over inputs of the given types.
using Write = std::function<void(Builder&, const Ids&)>;
Program one_step(const std::vector<Type>& types, const Write& write, const Mesh& mesh = {}) {
  Builder builder(mesh);
  Ids in;
  for (const Type& t : types)
    in.push_back(builder.input(fmt::format("v{}", in.size()), t, Role::activation));
  write(builder, in);
  return std::move(builder).build();
}

void expect_same_in_place(const Program& p, std::size_t reused) {
  const Tensors values = random_inputs(p, 9), apart = interpret(p, values);
  const Tensors in_place = run_in_place(p, values, reused);
  for (std::size_t i = 0; i < in_place.size(); ++i)  // sums may be ordered by alignment
    expect_close(in_place[i], apart[p.steps()[0].out[i]], 1e-14);
}

Type hidden(std::int64_t rows, std::int64_t size) {
  return f64({{b, 2, {}}, {L, rows, {}}, {d, size, {}}});
}
Type heads(std::int64_t e_size = 6) {
  return f64({{b, 2, {}}, {L, 5, {}}, {k, 3, {}}, {g, 2, {}}, {e, e_size, {}}});
}

// ---- Sums
// ----------------------------------------------------------------------------------------

TEST(CpuAdd, AddsElementsInPlaceOfEitherOperand) {
  const Program p = one_step({hidden(3, 7), hidden(3, 7)},
                             [](Builder& w, const Ids& in) { w.add("y", in[0], in[1]); });
  const Tensors got = interpret(p, random_inputs(p, 1));
  Tensor sum = got[0];
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += got[1][i];
  expect_close(got[2], sum);
  expect_same_in_place(p, 0);
  expect_same_in_place(p, 1);
}

TEST(CpuBias, IsAddedToEveryRowAndItsGradientIsTheSumOfRows) {
  const Type bias = f64({{k, 3, {}}, {g, 2, {}}, {e, 6, {}}});
  const Program p =
      one_step({heads(), bias}, [](Builder& w, const Ids& in) { w.bias("y", in[0], in[1]); });
  Tensors got = interpret(p, random_inputs(p, 2));
  const Program back =
      one_step({heads(), bias}, [](Builder& w, const Ids& in) { w.bias_grad(in[0], in[1]); });
  const Tensors grads = interpret(back, Tensors{got[0], got[1], {}});
  Tensor expected = got[0], sum(got[1].size());
  for_each_index(heads().dims, {}, {}, [&](const Index& i) {
    const std::size_t at = offset(heads(), {}, i), row = offset(bias, {}, i);
    expected[at] += got[1][row];
    sum[row] += got[0][at];
  });
  expect_close(got[2], expected);
  expect_close(grads[2], sum);
  expect_same_in_place(p, 0);
}

// ---- Norms
// ---------------------------------------------------------------------------------------

struct Normed {
  double mean, inverse;
};
Normed moments(Norm kind, const double* x, std::size_t n) {
  double mean = 0, square = 0;
  for (std::size_t i = 0; i < n && kind == Norm::layer; ++i) mean += x[i] / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i)
    square += (x[i] - mean) * (x[i] - mean) / static_cast<double>(n);
  return {mean, 1 / std::sqrt(square + 1e-5)};
}

void check_norm(Norm kind, const Type& x, const Type& gain) {
  std::vector<Type> types{x, gain};
  if (kind == Norm::layer) types.push_back(gain);
  const Program p = one_step(types, [&](Builder& w, const Ids& in) { w.normalize("y", kind, in); });
  const Tensors got = interpret(p, random_inputs(p, 4));
  const std::size_t n = got[1].size();
  Tensor y = got[0];
  for (std::size_t row = 0; row < y.size(); row += n) {
    const Normed m = moments(kind, &got[0][row], n);
    for (std::size_t i = 0; i < n; ++i)
      y[row + i] = (got[0][row + i] - m.mean) * m.inverse * got[1][i] +
                   (kind == Norm::layer ? got[2][i] : 0);
  }
  expect_close(got.back(), y);
  expect_same_in_place(p, 0);
}

/// dx by the Jacobian: dxhat_j / dx_i = r (delta_ij - c / n) - xhat_i xhat_j r / n, c = 1 for layer
/// norm.
void check_norm_grad(Norm kind, const Type& x, const Type& gain) {
  std::vector<Type> types{x, x, gain};
  if (kind == Norm::layer) types.push_back(gain);
  const Program p = one_step(types, [&](Builder& w, const Ids& in) {
    w.normalize_grad(kind, in[0], Ids(in.begin() + 1, in.end()));
  });
  const Tensors got = interpret(p, random_inputs(p, 6));
  const Tensor &dy = got[0], &at = got[1], &scale = got[2];
  const std::size_t n = scale.size();
  const double width = static_cast<double>(n), c = kind == Norm::layer ? 1 : 0;
  Tensor dx(dy.size()), dgain(n), dshift(n);
  for (std::size_t row = 0; row < dy.size(); row += n) {
    const Normed m = moments(kind, &at[row], n);
    const auto unit = [&](std::size_t i) { return (at[row + i] - m.mean) * m.inverse; };
    for (std::size_t j = 0; j < n; ++j) {
      dgain[j] += dy[row + j] * unit(j);
      dshift[j] += dy[row + j];
      for (std::size_t i = 0; i < n; ++i)
        dx[row + i] += dy[row + j] * scale[j] * m.inverse *
                       ((i == j ? 1 : 0) - c / width - unit(i) * unit(j) / width);
    }
  }
  const Ids& out = p.steps()[0].out;
  expect_close(got[out[0]], dx);
  expect_close(got[out[1]], dgain);
  if (kind == Norm::layer) expect_close(got[out[2]], dshift);
  expect_same_in_place(p, 0);
}

TEST(CpuNormalize, NormalizesRowsOfTheGain) {
  for (const Norm kind : {Norm::rms, Norm::layer})
    for (const std::int64_t size : {1, 7, 64}) {
      const Type gain = f64({{d, size, {}}});
      check_norm(kind, hidden(3, size), gain);
      check_norm_grad(kind, hidden(3, size), gain);
    }
}

TEST(CpuNormalize, NormalizesHeads) {
  check_norm(Norm::rms, heads(), f64({{e, 6, {}}}));
  check_norm_grad(Norm::rms, heads(), f64({{e, 6, {}}}));
}

// ---- Without a gain, and gains in a step of their own
// ---------------------------------------------------------------------------------------

double inner(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// <y, dy> of the only result moves with input `at` as `gradient` predicts: central differences in three directions.
void expect_slope(const Program& p, const Tensors& values, std::size_t at, const Tensor& dy,
                  const Tensor& gradient) {
  constexpr double step = 1e-5;
  ASSERT_EQ(gradient.size(), values[at].size());
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const Tensor u = random_tensor(std::ssize(gradient), seed);
    const auto moved = [&](double by) {
      Tensors x = values;
      for (std::size_t i = 0; i < u.size(); ++i) x[at][i] += by * u[i];
      return inner(interpret(p, std::move(x)).back(), dy);
    };
    const double measured = (moved(step) - moved(-step)) / (2 * step);
    EXPECT_NEAR(inner(gradient, u), measured, 1e-6 * std::max(std::abs(measured), 1e-3));
  }
}

TEST(CpuNormalize, WithoutAGainNormalizesTheLastDim) {
  for (const Norm kind : {Norm::rms, Norm::layer})
    for (const std::int64_t size : {7, 64}) {
      const Type x = hidden(3, size);
      const Program p =
          one_step({x}, [&](Builder& w, const Ids& in) { w.normalize("y", kind, {in[0]}); });
      const Program back = one_step(
          {x, x}, [&](Builder& w, const Ids& in) { w.normalize_grad(kind, in[0], {in[1]}); });
      const Tensors values = random_inputs(p, 4);
      const Tensor dy = random_tensor(global_elements(x), 5);
      Tensor y = values[0];
      const auto n = static_cast<std::size_t>(size);
      for (std::size_t row = 0; row < y.size(); row += n) {
        const Normed m = moments(kind, &values[0][row], n);
        for (std::size_t i = 0; i < n; ++i) y[row + i] = (y[row + i] - m.mean) * m.inverse;
      }
      expect_close(interpret(p, values).back(), y);
      expect_slope(p, values, 0, dy, interpret(back, Tensors{dy, values[0], {}}).back());
      expect_same_in_place(p, 0);
      expect_same_in_place(back, 0);
    }
}

void check_multiply(const Type& x, const Type& factor) {
  const Program p =
      one_step({x, factor}, [](Builder& w, const Ids& in) { w.multiply("y", in[0], in[1]); });
  const Tensors values = random_inputs(p, 2);
  const Tensor dy = random_tensor(global_elements(x), 3);
  Tensor y = values[0];
  for_each_index(x.dims, {}, {}, [&](const Index& at) {
    y[offset(x, {}, at)] *= values[1][offset(factor, {}, at)];
  });
  expect_close(interpret(p, values).back(), y);
  expect_same_in_place(p, 0);
  expect_slope(p, values, 0, dy, interpret(p, Tensors{dy, values[1], {}}).back());
  const Program back = one_step(
      {x, x, factor}, [](Builder& w, const Ids& in) { w.multiply_grad(in[0], in[1], in[2]); });
  const Tensor dfactor = interpret(back, Tensors{dy, values[0], values[1], {}}).back();
  expect_slope(p, values, 1, dy, dfactor);
}

TEST(CpuMultiply, BroadcastsOverLeadingDimsAndItsGradientSumsOverThem) {
  check_multiply(hidden(3, 7), f64({{d, 7, {}}}));
  check_multiply(heads(), f64({{e, 6, {}}}));
  check_multiply(heads(), f64({{g, 2, {}}, {e, 6, {}}}));
}
TEST(CpuMultiply, OfEqualDimsIsElementByElement) {
  check_multiply(hidden(3, 7), hidden(3, 7));
}

// ---- Activations
// ---------------------------------------------------------------------------------

double act(Act kind, double x) {
  if (kind == Act::swiglu) return x / (1 + std::exp(-x));
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}
double act_slope(Act kind, double x) {
  if (kind == Act::swiglu) {
    const double s = 1 / (1 + std::exp(-x));
    return s * (1 + x * (1 - s));
  }
  const double c = std::sqrt(2 / std::numbers::pi);
  const double t = std::tanh(c * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
}

void check_activation(Act kind, std::int64_t size) {
  const bool gated = kind != Act::gelu;
  const Type plain = f64({{b, 2, {}}, {L, 3, {}}, {i, size, {}}});
  const Type up = gated ? f64({{b, 2, {}}, {L, 3, {}}, {m, 2, {}}, {i, size, {}}}) : plain;
  const Program p =
      one_step({up}, [&](Builder& w, const Ids& in) { w.activate("y", kind, in[0]); });
  const Program back = one_step(
      {plain, up}, [&](Builder& w, const Ids& in) { w.activate_grad(kind, in[0], in[1]); });
  Tensors values = random_inputs(p, 7);
  for (double& x : values[0]) x *= 6;  // into the tails
  const Tensors got = interpret(p, values);
  const Tensor dy = random_tensor(global_elements(plain), 8);
  const Tensor dup = interpret(back, Tensors{dy, values[0], {}})[2];
  Tensor y(dy.size()), expected(values[0].size());
  for_each_index(plain.dims, {}, {{m, 0}}, [&](Index at) {
    const std::size_t j = offset(plain, {}, at), gate = offset(up, {}, at);
    at[m] = 1;
    const std::size_t linear = offset(up, {}, at);
    const double x = values[0][gate], factor = gated ? values[0][linear] : 1;
    y[j] = act(kind, x) * factor;
    if (gated) expected[linear] = dy[j] * act(kind, x);
    expected[gate] = dy[j] * act_slope(kind, x) * factor;
  });
  expect_close(got[1], y);
  expect_close(dup, expected);
  expect_same_in_place(back, gated ? 1 : 0);  // where it may lie, see reused_operand
}

TEST(CpuActivate, EqualsItsDefinitionAndDerivative) {
  for (const Act kind : {Act::swiglu, Act::geglu, Act::gelu})
    for (const std::int64_t size : {1, 13, 1030}) check_activation(kind, size);  // blocks of 512
}

// ---- Rotary positions
// ----------------------------------------------------------------------------

/// Rotates pairs (j, j + e/2) as complex numbers.
Tensor rope_reference(const Type& t, const Mesh& mesh, int rank, const Tensor& x, double theta) {
  const auto held = tokens(*t.find(L), mesh, rank);
  const std::int64_t size = t.find(e)->size;
  Tensor y(x.size());
  for_each_index(t.dims, mesh, {}, [&](Index at) {
    if (at[e] >= size / 2) return;
    const std::size_t low = offset(t, mesh, at), high = low + static_cast<std::size_t>(size / 2);
    const double angle =
        static_cast<double>(held[static_cast<std::size_t>(at[L])]) *
        std::pow(theta, -2 * static_cast<double>(at[e]) / static_cast<double>(size));
    y[low] = x[low] * std::cos(angle) - x[high] * std::sin(angle);
    y[high] = x[high] * std::cos(angle) + x[low] * std::sin(angle);
  });
  return y;
}

TEST(CpuRope, TurnsEveryHeadByThePositionOfItsToken) {
  const Mesh mesh({{"r", 2}});
  const Axis r = mesh.axis("r");
  for (const Deal deal : {Deal::blocks, Deal::zigzag, Deal::stripes})
    for (const bool grouped : {true, false})
      for (const int rank : {0, 1}) {
        Type t = heads();
        t.dims[1] = {L, 12, {{r, deal}}};
        if (!grouped) t.dims.erase(t.dims.begin() + 3);
        const Program p = one_step(
            {t},
            [](Builder& w, const Ids& in) {
              w.rope("y", {in[0]}, {500.0, false});
            },
            mesh);
        const Tensors got = interpret(p, random_inputs(p, 3), rank);
        expect_close(got[1], rope_reference(t, mesh, rank, got[0], 500.0));
      }
}

TEST(CpuRope, IsUndoneByItsInverseAndWorksInPlace) {
  const Program turn = one_step({heads()}, [](Builder& w, const Ids& in) {
    w.rope("y", {in[0]}, {1e4, false});
  });
  const Program back = one_step({heads()}, [](Builder& w, const Ids& in) {
    w.rope("y", {in[0]}, {1e4, true});
  });
  const Tensors got = interpret(turn, random_inputs(turn, 3));
  expect_close(interpret(back, Tensors{got[1], {}})[1], got[0]);
  expect_same_in_place(turn, 0);
  expect_same_in_place(back, 0);
}

// ---- Packed QKV
// ----------------------------------------------------------------------------------

TEST(CpuQkv, SplitsQueriesThenKeyThenValueOfEachHeadAndJoinsThemAgain) {
  const Type packed = f64({{b, 2, {}}, {L, 3, {}}, {k, 2, {}}, {p, 5, {}}, {e, 4, {}}});
  const Program split =
      one_step({packed}, [](Builder& w, const Ids& in) { w.split_qkv(in[0], 3); });
  const Tensors got = interpret(split, random_inputs(split, 3));
  for_each_index(packed.dims, {}, {}, [&](Index at) {
    const double x = got[0][offset(packed, {}, at)];
    at[g] = at[p];
    const ValueId part = at[p] < 3 ? 1 : at[p] == 3 ? 2 : 3;
    EXPECT_EQ(got[part][offset(split.type(part), {}, at)], x);
  });
  const Program join = one_step({split.type(1), split.type(2), split.type(3)},
                                [](Builder& w, const Ids& in) { w.join_qkv(in[0], in[1], in[2]); });
  EXPECT_EQ(interpret(join, Tensors{got[1], got[2], got[3], {}})[3], got[0]);
}

}  // namespace
}  // namespace ithaca::test
