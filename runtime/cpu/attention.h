// runtime/cpu/attention.h -- softmax attention in tiles with a running maximum (Dao et al. 2022).
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// q [b L k g e], k [b Lk k e], v [b Lk k e] -> o [b L k g e], lse [b L k g].
/// A query sees the keys its mask says by their positions.  One that sees none of these gets o = 0
/// and lse = -infinity.
template <class T>
void compute(const Attend&, const Call<T>&);

}  // namespace ithaca
