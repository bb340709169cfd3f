// runtime/cpu/update.h -- AdamW and the clipping of gradients.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

template <class T>
void compute(const SquaredNorm&, const Call<T>&);
template <class T>
void compute(const ClipFactor&, const Call<T>&);
/// Results may be the memory of weight, m and v.
template <class T>
void compute(const Adam&, const Call<T>&);

}  // namespace ithaca
