// runtime/cpu/tile.h -- runs of one dimension out of a tensor and back, and copies to the host.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

template <class T>
void compute(const Slice&, const Call<T>&);
/// The whole may be the memory of the first operand.
template <class T>
void compute(const Put&, const Call<T>&);
template <class T>
void compute(const Copy&, const Call<T>&);

}  // namespace ithaca
