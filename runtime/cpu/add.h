// runtime/cpu/add.h -- sums and copies, element by element.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// y = a + b; y may be a or b.
template <class T>
void compute(const Add&, const Call<T>&);
/// y = x, for a run has one dtype; y may be x.
template <class T>
void compute(const Cast&, const Call<T>&);

}  // namespace ithaca
