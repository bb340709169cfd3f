// runtime/cpu/bias.h -- a vector added to every row or multiplied with it, and its gradient.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// y [rows n] = x [rows n] + bias [n]; y may be x.
template <class T>
void compute(const Bias&, const Call<T>&);
/// dbias [n] = sum over rows of dy [rows n].
template <class T>
void compute(const BiasGrad&, const Call<T>&);

/// y [rows n] = x [rows n] factor [n]; y may be x.
template <class T>
void compute(const Multiply&, const Call<T>&);
/// dfactor [n] = sum over rows of dy [rows n] x [rows n].
template <class T>
void compute(const MultiplyGrad&, const Call<T>&);

}  // namespace ithaca
