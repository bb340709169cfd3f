#include "runtime/cpu/update.h"

#include <algorithm>
#include <cmath>

namespace ithaca {

template <class T>
void compute(const SquaredNorm&, const Call<T>& call) {
  const auto x = vector(call.in(0), call.elements(call.in_type(0)));
  call.out(0)[0] = static_cast<T>(x.template cast<double>().square().sum());
}

template <class T>
void compute(const ClipFactor& op, const Call<T>& call) {
  const double norm = std::sqrt(static_cast<double>(call.in(0)[0]));
  call.out(0)[0] = static_cast<T>(std::min(1.0, op.max_norm / (norm + 1e-6)));
}

template <class T>
void compute(const Adam& op, const Call<T>& call) {
  const std::int64_t n = call.elements(call.in_type(0));
  const double t = static_cast<double>(call.in(4)[0]);
  const T factor = call.step.in.size() > 5 ? call.in(5)[0] : T{1};
  const T b1 = static_cast<T>(op.beta1), b2 = static_cast<T>(op.beta2);
  const T unbias1 = static_cast<T>(1 / (1 - std::pow(op.beta1, t)));
  const T unbias2 = static_cast<T>(1 / (1 - std::pow(op.beta2, t)));
  const T rate = static_cast<T>(op.rate), epsilon = static_cast<T>(op.epsilon);
  const T shrink = static_cast<T>(1 - op.rate * op.decay);
  const auto gradient = vector(call.in(3), n) * factor;
  auto m = vector(call.out(1), n), v = vector(call.out(2), n);
  m = b1 * vector(call.in(1), n) + (T{1} - b1) * gradient;
  v = b2 * vector(call.in(2), n) + (T{1} - b2) * gradient.square();
  vector(call.out(0), n) =
      shrink * vector(call.in(0), n) - rate * (m * unbias1) / ((v * unbias2).sqrt() + epsilon);
}

template void compute(const SquaredNorm&, const Call<float>&);
template void compute(const SquaredNorm&, const Call<double>&);
template void compute(const ClipFactor&, const Call<float>&);
template void compute(const ClipFactor&, const Call<double>&);
template void compute(const Adam&, const Call<float>&);
template void compute(const Adam&, const Call<double>&);

}  // namespace ithaca
