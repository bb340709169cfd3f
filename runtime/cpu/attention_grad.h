// runtime/cpu/attention_grad.h -- gradient of attention in tiles; weights are computed again.
//
// With p = exp(s - lse) and delta = rowsum(do o):
//     dv = p' do,  ds = p (do v' - delta),  dq = scale ds k,  dk = scale ds' q    (Dao et al. 2022)
// o and lse are those over all keys of a query, so that for one block of the keys the gradient is
// exact for this block.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// q [b L k g e], k, v [b Lk k e], o [b L k g e], lse [b L k g], do [b L k g e] -> dq, dk, dv.
template <class T>
void compute(const AttendGrad&, const Call<T>&);

}  // namespace ithaca
