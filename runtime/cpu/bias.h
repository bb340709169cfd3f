// runtime/cpu/bias.h -- a vector added to every row, and its gradient.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// y [rows n] = x [rows n] + bias [n]; y may be x.
template <class T>
void compute(const Bias&, const Call<T>&);
/// dbias [n] = sum over rows of dy [rows n].
template <class T>
void compute(const BiasGrad&, const Call<T>&);

}  // namespace ithaca
