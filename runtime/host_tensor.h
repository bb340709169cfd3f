// runtime/host_tensor.h -- tensors outside a run: reproducible numbers, and slices of ranks to and
// from the whole.
#pragma once

#include "models/program.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace ithaca {

/// A whole (unsharded) tensor on the host, row-major over the global dims of its value.
using HostTensor = std::vector<double>;

/// Numbers by index: mean + scale * (about normal, mean 0, variance 1), the same whoever asks.
struct Numbers {
  std::uint64_t seed = 0;
  double mean = 0, scale = 1;
  double operator[](std::int64_t index) const;
};

/// A seed for each name.
std::uint64_t seed_of(std::string_view name);

/// What the inputs of a layer look like: activations and gradients N(0, 0.5), matrices N(0,
/// 1/sqrt(fan-in)), gains 1 + N(0, 0.1), biases N(0, 0.1).  Depends on the name of the value, not
/// on how it lies.
Numbers numbers_for(const Program&, ValueId input);

/// Axes on which the type is a copy, in the order of the mesh.
AxisList copy_axes(const Type&, const Mesh&);

/// Global row-major indices of the elements `rank` holds, in the order it holds them; fewer than
/// local_elements() where a flat cut rounds up.
std::vector<std::int64_t> global_indices(const Type&, const Mesh&, int rank);

/// The rank's slice in the dtype of the type, padding zero.  f32 and f64 only.  Elements from index `known` on are
/// zero.
std::vector<std::byte> slice_of(const Numbers&, const Type&, const Mesh&, int rank,
                                std::int64_t known = std::numeric_limits<std::int64_t>::max());
std::vector<std::byte> slice_of(const HostTensor&, const Type&, const Mesh&, int rank);

/// max |a - b| / max |b|, 0 when a equals b.  Infinity when there is a NaN.
double relative_error(const HostTensor& a, const HostTensor& b);

struct Gathered {
  HostTensor whole;
  double replica_difference = 0;  ///< max |a - a'| / max |a| between the copies
};
/// The whole from the slices of all ranks: addends are summed, copies compared..
Gathered gather(const Type&, const Mesh&, const std::vector<std::vector<std::byte>>& slices);

}  // namespace ithaca
