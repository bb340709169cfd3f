// runtime/cpu/gemm.h -- an einsum as one Eigen matrix product on the calling thread.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// y [m n] = a [m k] b [k n], each perhaps transposed, plus the sum if there is one; see runtime/einsum_fold.h.
template <class T>
void compute(const Einsum&, const Call<T>&);

}  // namespace ithaca
