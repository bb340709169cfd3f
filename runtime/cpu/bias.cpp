#include "runtime/cpu/bias.h"

namespace ithaca {

template <class T>
void compute(const Bias&, const Call<T>& call) {
  const std::int64_t n = row_elements(call.program, call.in_type(0), call.in_type(1));
  const std::int64_t end = call.elements(call.in_type(0));
  const auto bias = vector(call.in(1), n);
  for (std::int64_t row = 0; row < end; row += n)
    vector(call.out(0) + row, n) = vector(call.in(0) + row, n) + bias;
}

template <class T>
void compute(const BiasGrad&, const Call<T>& call) {
  const std::int64_t n = row_elements(call.program, call.in_type(0), call.out_type(0));
  const std::int64_t end = call.elements(call.in_type(0));
  auto sum = vector(call.out(0), n);
  sum.setZero();
  for (std::int64_t row = 0; row < end; row += n) sum += vector(call.in(0) + row, n);
}

template <class T>
void compute(const Multiply&, const Call<T>& call) {
  const std::int64_t n = row_elements(call.program, call.in_type(0), call.in_type(1));
  const auto factor = vector(call.in(1), n);
  for (std::int64_t row = 0; row < call.elements(call.in_type(0)); row += n)
    vector(call.out(0) + row, n) = vector(call.in(0) + row, n) * factor;
}

template <class T>
void compute(const MultiplyGrad&, const Call<T>& call) {
  const std::int64_t n = row_elements(call.program, call.in_type(0), call.out_type(0));
  auto sum = vector(call.out(0), n);
  sum.setZero();
  for (std::int64_t row = 0; row < call.elements(call.in_type(0)); row += n)
    sum += vector(call.in(0) + row, n) * vector(call.in(1) + row, n);
}

template void compute(const Multiply&, const Call<float>&);
template void compute(const Multiply&, const Call<double>&);
template void compute(const MultiplyGrad&, const Call<float>&);
template void compute(const MultiplyGrad&, const Call<double>&);
template void compute(const Bias&, const Call<float>&);
template void compute(const Bias&, const Call<double>&);
template void compute(const BiasGrad&, const Call<float>&);
template void compute(const BiasGrad&, const Call<double>&);

}  // namespace ithaca
