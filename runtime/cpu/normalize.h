// runtime/cpu/normalize.h -- RMS and layer norm over the rows of a gain, and their gradients.
//
// rms:    y = x r gain,                 r = 1 / sqrt(mean(x^2) + eps)       (Zhang and Sennrich
// 2019) layer:  y = (x - mean) r gain + shift, r = 1 / sqrt(var(x) + eps)         (Ba et al. 2016)
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// rms_norm_eps of Llama 2 and 3, and PyTorch's default of LayerNorm.
constexpr double norm_epsilon = 1e-5;

/// x [rows n], gain [n] [, shift [n]] -> y [rows n]; y may be x.
template <class T>
void compute(const Normalize&, const Call<T>&);
/// dy [rows n], x [rows n], gain [n] -> dx [rows n], dgain [n] [, dshift [n]]; dx may be dy.
template <class T>
void compute(const NormalizeGrad&, const Call<T>&);

}  // namespace ithaca
