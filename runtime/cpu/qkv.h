// runtime/cpu/qkv.h -- takes the result of a fused QKV projection apart, and packs gradients.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

/// packed [b L k p e] -> q [b L k g e], k [b L k e], v [b L k e]; p = g queries, a key, a value
template <class T>
void compute(const SplitQkv&, const Call<T>&);
/// q, k, v -> packed, the reverse
template <class T>
void compute(const JoinQkv&, const Call<T>&);

}  // namespace ithaca
