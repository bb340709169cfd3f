#include "runtime/cpu/box.h"

#include "models/error.h"
#include "runtime/cpu/call.h"

#include <algorithm>

namespace ithaca {
namespace {

/// Calls row(offset in the tensor, elements, stride) for every innermost row of the box, in order.
template <class Row>
void for_each_row(const Box& box, const Row& row) {
  require(box.counts.size() == box.strides.size(), "a box has one stride for each count");
  if (std::ranges::find(box.counts, 0) != box.counts.end()) return;
  const std::size_t dims = box.counts.size();
  const std::int64_t count = dims == 0 ? 1 : box.counts.back();
  const std::int64_t stride = dims == 0 ? 1 : box.strides.back();
  boost::container::static_vector<std::int64_t, 8> index(dims, 0);
  for (std::int64_t offset = box.offset;;) {
    row(offset, count, stride);
    std::size_t d = dims < 2 ? 0 : dims - 1;
    for (; d > 0; --d) {
      offset += box.strides[d - 1];
      if (++index[d - 1] < box.counts[d - 1]) break;
      offset -= box.counts[d - 1] * box.strides[d - 1];
      index[d - 1] = 0;
    }
    if (d == 0) return;
  }
}

}  // namespace

template <class T>
void pack_boxes(const T* tensor, std::span<const Box> boxes, T* packed) {
  for (const Box& box : boxes)
    for_each_row(box, [&](std::int64_t offset, std::int64_t count, std::int64_t stride) {
      if (stride == 1)
        std::copy_n(tensor + offset, count, packed);
      else
        for (std::int64_t i = 0; i < count; ++i) packed[i] = tensor[offset + i * stride];
      packed += count;
    });
}

template <class T>
void unpack_boxes(const T* packed, std::span<const Box> boxes, bool add, T* tensor) {
  for (const Box& box : boxes)
    for_each_row(box, [&](std::int64_t offset, std::int64_t count, std::int64_t stride) {
      if (add && stride == 1)
        vector(tensor + offset, count) += vector(packed, count);
      else if (stride == 1)
        std::copy_n(packed, count, tensor + offset);
      else
        for (std::int64_t i = 0; i < count; ++i) {
          T& to = tensor[offset + i * stride];
          to = add ? to + packed[i] : packed[i];
        }
      packed += count;
    });
}

template void pack_boxes(const float*, std::span<const Box>, float*);
template void pack_boxes(const double*, std::span<const Box>, double*);
template void unpack_boxes(const float*, std::span<const Box>, bool, float*);
template void unpack_boxes(const double*, std::span<const Box>, bool, double*);

}  // namespace ithaca
