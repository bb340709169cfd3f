#include "runtime/cpu/qkv.h"

#include <algorithm>

namespace ithaca {

template <class T>
void compute(const SplitQkv&, const Call<T>& call) {
  const std::int64_t e = call.size(call.out_type(1), DimName::e);
  const std::int64_t ge = call.size(call.out_type(0), DimName::g) * e;
  const std::int64_t heads = call.elements(call.out_type(1)) / e;
  const T* packed = call.in(0);
  for (std::int64_t h = 0; h < heads; ++h, packed += ge + 2 * e) {
    std::copy_n(packed, ge, call.out(0) + h * ge);
    std::copy_n(packed + ge, e, call.out(1) + h * e);
    std::copy_n(packed + ge + e, e, call.out(2) + h * e);
  }
}

template <class T>
void compute(const JoinQkv&, const Call<T>& call) {
  const std::int64_t e = call.size(call.in_type(1), DimName::e);
  const std::int64_t ge = call.size(call.in_type(0), DimName::g) * e;
  const std::int64_t heads = call.elements(call.in_type(1)) / e;
  T* packed = call.out(0);
  for (std::int64_t h = 0; h < heads; ++h) {
    packed = std::copy_n(call.in(0) + h * ge, ge, packed);
    packed = std::copy_n(call.in(1) + h * e, e, packed);
    packed = std::copy_n(call.in(2) + h * e, e, packed);
  }
}

template void compute(const SplitQkv&, const Call<float>&);
template void compute(const SplitQkv&, const Call<double>&);
template void compute(const JoinQkv&, const Call<float>&);
template void compute(const JoinQkv&, const Call<double>&);

}  // namespace ithaca
