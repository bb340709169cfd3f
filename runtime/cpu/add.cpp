#include "runtime/cpu/add.h"

#include <algorithm>

namespace ithaca {

template <class T>
void compute(const Add&, const Call<T>& call) {
  const std::int64_t n = call.elements(call.out_type(0));
  vector(call.out(0), n) = vector(call.in(0), n) + vector(call.in(1), n);
}

template <class T>
void compute(const Cast&, const Call<T>& call) {
  if (call.in(0) != call.out(0))
    std::copy_n(call.in(0), call.elements(call.out_type(0)), call.out(0));
}

template void compute(const Add&, const Call<float>&);
template void compute(const Add&, const Call<double>&);
template void compute(const Cast&, const Call<float>&);
template void compute(const Cast&, const Call<double>&);

}  // namespace ithaca
