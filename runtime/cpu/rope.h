// runtime/cpu/rope.h -- rotary position embedding.
//
// The pair (x_j, x_{j + e/2}) of a head turns by position * theta^(-2j/e), the split-half form that
// Hugging Face Llama uses (Su et al. 2021 pair neighbours instead).  Angles are computed in f64.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// x [b L .. e] -> y, each token turned by its position, or back; y may be x.
template <class T>
void compute(const Rope&, const Call<T>&);
/// -> table [L 2 e]
template <class T>
void compute(const RotationTable&, const Call<T>&);

}  // namespace ithaca
