#include "runtime/cpu/activate.h"

#include <algorithm>
#include <numbers>

namespace ithaca {
namespace {

constexpr std::int64_t block_elements = 512;  // intermediates of a block stay in the first cache
template <class T>
using Block = Eigen::Array<T, Eigen::Dynamic, 1, 0, block_elements, 1>;
template <class T>
using In = Eigen::Map<const Vector<T>>;

/// z and dz/dx of x sigmoid(z): GELU's polynomial, which SiLU has as z = x.
template <class T>
struct Slope {
  T linear, cubic;
};

template <class T>
Slope<T> slope_of(Act kind) {
  if (kind == Act::swiglu || kind == Act::silu) return {T{1}, T{0}};
  const T linear = static_cast<T>(2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
  return {linear, static_cast<T>(0.044715) * linear};
}

template <class T>
Block<T> sigmoid(const Slope<T>& z, const In<T>& x) {
  return (T{1} + (-(x * (z.linear + z.cubic * x.square()))).exp()).inverse();
}

/// d(x sigmoid(z)) / dx
template <class T>
Block<T> derivative(const Slope<T>& z, const In<T>& x, const Block<T>& s) {
  return s + x * s * (T{1} - s) * (z.linear + T{3} * z.cubic * x.square());
}

/// Gate and up lie in rows of `inner` elements, one after the other; without gates there is one
/// row.
struct Gates {
  std::int64_t outer, inner;
};

template <class T>
Gates layout(const Call<T>& call, const Type& up, const Type& y) {
  const std::int64_t n = call.elements(y);
  if (up.dims.size() == y.dims.size()) return {1, n};
  std::int64_t inner = 1;
  for (auto dim = up.dims.rbegin(); dim->name != DimName::m; ++dim)
    inner *= local_size(*dim, call.program.mesh());
  return {n / inner, inner};
}

}  // namespace

template <class T>
void compute(const Activate& op, const Call<T>& call) {
  const auto [outer, inner] = layout(call, call.in_type(0), call.out_type(0));
  const bool gated = is_gated(op.kind);
  const Slope<T> z = slope_of<T>(op.kind);
  for (std::int64_t row = 0; row < outer; ++row)
    for (std::int64_t j = 0; j < inner; j += block_elements) {
      const std::int64_t n = std::min(block_elements, inner - j);
      const T* up = call.in(0) + row * inner * (gated ? 2 : 1) + j;
      const In<T> x(up, n);
      auto y = vector(call.out(0) + row * inner + j, n);
      y = x * sigmoid(z, x);
      if (gated) y *= vector(up + inner, n);
    }
}

template <class T>
void compute(const ActivateGrad& op, const Call<T>& call) {
  const auto [outer, inner] = layout(call, call.in_type(1), call.in_type(0));
  const bool gated = is_gated(op.kind);
  const Slope<T> z = slope_of<T>(op.kind);
  for (std::int64_t row = 0; row < outer; ++row)
    for (std::int64_t j = 0; j < inner; j += block_elements) {
      const std::int64_t n = std::min(block_elements, inner - j);
      const std::int64_t at = row * inner * (gated ? 2 : 1) + j;
      const In<T> x(call.in(1) + at, n), dy(call.in(0) + row * inner + j, n);
      const Block<T> s = sigmoid(z, x);
      auto dx = vector(call.out(0) + at, n);
      Block<T> slope = derivative(z, x, s);
      if (gated) {  // the result may lie where gate and up do
        slope *= vector(call.in(1) + at + inner, n);
        vector(call.out(0) + at + inner, n) = dy * x * s;
      }
      dx = dy * slope;
    }
}

template void compute(const Activate&, const Call<float>&);
template void compute(const Activate&, const Call<double>&);
template void compute(const ActivateGrad&, const Call<float>&);
template void compute(const ActivateGrad&, const Call<double>&);

}  // namespace ithaca
