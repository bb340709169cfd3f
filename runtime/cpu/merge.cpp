#include "runtime/cpu/merge.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ithaca {

template <class T>
void compute(const Merge&, const Call<T>& call) {
  const std::int64_t rows = call.elements(call.out_type(1));
  const std::int64_t e = call.elements(call.out_type(0)) / rows;
  for (std::int64_t r = 0; r < rows; ++r) {
    const T lse1 = call.in(1)[r], lse2 = call.in(3)[r], top = std::max(lse1, lse2);
    // No key on either side: any finite top keeps the weights 0 instead of NaN.
    const bool none = top == -std::numeric_limits<T>::infinity();
    T w1 = none ? T{0} : std::exp(lse1 - top), w2 = none ? T{0} : std::exp(lse2 - top);
    const T sum = w1 + w2;
    call.out(1)[r] = none ? top : top + std::log(sum);
    if (!none) w1 /= sum, w2 /= sum;
    vector(call.out(0) + r * e, e) =
        w1 * vector(call.in(0) + r * e, e) + w2 * vector(call.in(2) + r * e, e);
  }
}

template void compute(const Merge&, const Call<float>&);
template void compute(const Merge&, const Call<double>&);

}  // namespace ithaca
