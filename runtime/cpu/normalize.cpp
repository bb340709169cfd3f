#include "runtime/cpu/normalize.h"

#include "models/error.h"

#include <cmath>

namespace ithaca {
namespace {

/// The normalized row is (x - mean) * inverse.
template <class T>
struct Moments {
  T mean, inverse;
};

template <class T, class Row>
Moments<T> moments(Norm kind, const Row& x) {
  const T mean = kind == Norm::layer ? x.mean() : T{0};
  const T variance = (x - mean).square().mean();
  return {mean, T{1} / std::sqrt(variance + static_cast<T>(norm_epsilon))};
}

/// Without a gain: the last dim is a row.
template <class T>
void unit_rows(Norm kind, const Call<T>& call) {
  const std::int64_t n = call.size(call.in_type(0), call.in_type(0).dims.back().name);
  for (std::int64_t row = 0; row < call.elements(call.in_type(0)); row += n) {
    const auto x = vector(call.in(0) + row, n);
    const Moments<T> m = moments<T>(kind, x);
    vector(call.out(0) + row, n) = (x - m.mean) * m.inverse;
  }
}

template <class T>
void unit_rows_grad(Norm kind, const Call<T>& call) {
  const std::int64_t n = call.size(call.in_type(1), call.in_type(1).dims.back().name);
  for (std::int64_t row = 0; row < call.elements(call.in_type(1)); row += n) {
    const auto dy = vector(call.in(0) + row, n), x = vector(call.in(1) + row, n);
    const Moments<T> m = moments<T>(kind, x);
    const auto unit = (x - m.mean) * m.inverse;
    const T along = (dy * unit).mean(), across = kind == Norm::layer ? dy.mean() : T{0};
    vector(call.out(0) + row, n) = (dy - across - unit * along) * m.inverse;
  }
}

}  // namespace

template <class T>
void compute(const Normalize& op, const Call<T>& call) {
  if (call.step.in.size() == 1) return unit_rows(op.kind, call);
  const std::int64_t n = row_elements(call.program, call.in_type(0), call.in_type(1));
  const std::int64_t end = call.elements(call.in_type(0));
  const auto gain = vector(call.in(1), n);
  require(call.step.in.size() == (op.kind == Norm::layer ? 3U : 2U), "layer norm has a shift");
  for (std::int64_t row = 0; row < end; row += n) {
    const auto x = vector(call.in(0) + row, n);
    auto y = vector(call.out(0) + row, n);
    const Moments<T> m = moments<T>(op.kind, x);
    y = (x - m.mean) * m.inverse * gain;
    if (op.kind == Norm::layer) y += vector(call.in(2), n);
  }
}

template <class T>
void compute(const NormalizeGrad& op, const Call<T>& call) {
  if (call.step.in.size() == 2) return unit_rows_grad(op.kind, call);
  const std::int64_t n = row_elements(call.program, call.in_type(1), call.in_type(2));
  const std::int64_t end = call.elements(call.in_type(1));
  const bool centered = op.kind == Norm::layer;
  const auto gain = vector(call.in(2), n);
  for (std::size_t i = 1; i < call.step.out.size(); ++i) vector(call.out(i), n).setZero();
  for (std::int64_t row = 0; row < end; row += n) {
    const auto dy = vector(call.in(0) + row, n), x = vector(call.in(1) + row, n);
    const Moments<T> m = moments<T>(op.kind, x);
    const auto unit = (x - m.mean) * m.inverse;
    vector(call.out(1), n) += dy * unit;
    if (call.step.out.size() > 2) vector(call.out(2), n) += dy;
    const T along = (dy * gain * unit).mean(), across = centered ? (dy * gain).mean() : T{0};
    vector(call.out(0) + row, n) = (dy * gain - across - unit * along) * m.inverse;
  }
}

template void compute(const Normalize&, const Call<float>&);
template void compute(const Normalize&, const Call<double>&);
template void compute(const NormalizeGrad&, const Call<float>&);
template void compute(const NormalizeGrad&, const Call<double>&);

}  // namespace ithaca
