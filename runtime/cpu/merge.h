// runtime/cpu/merge.h -- attention over two sets of keys becomes attention over their union.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// o [rows e], lse [rows], o2, lse2 -> o, lse.  A row that saw no key has o = 0 and lse =
/// -infinity. Results may be o and lse.
template <class T>
void compute(const Merge&, const Call<T>&);

}  // namespace ithaca
