// runtime/cpu/box.h -- rectangles of a tensor to and from consecutive memory.
#pragma once

#include "runtime/device.h"

#include <span>

namespace ithaca {

/// Boxes of `tensor`, one after another, each row-major, into `packed`.
template <class T>
void pack_boxes(const T* tensor, std::span<const Box>, T* packed);
/// The reverse; `add` sums into the tensor.
template <class T>
void unpack_boxes(const T* packed, std::span<const Box>, bool add, T* tensor);

}  // namespace ithaca
