// runtime/cpu/activate.h -- the nonlinearity of the MLP, plain or gated, and its gradient.
//
// Both are x sigmoid(z):  SiLU has z = x; GELU in its tanh form has z = 2 sqrt(2/pi) (x + 0.044715
// x^3), since (1 + tanh(u)) / 2 = sigmoid(2u)  (Hendrycks and Gimpel 2016).
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// gelu:            up [.. i]   -> y [.. i] = gelu(up)
/// swiglu, geglu:   up [.. 2 i] -> y [.. i] = act(up[0]) up[1]
template <class T>
void compute(const Activate&, const Call<T>&);
/// dy [.. i], up -> dup, as large as up; for gelu dup may be dy.
template <class T>
void compute(const ActivateGrad&, const Call<T>&);

}  // namespace ithaca
