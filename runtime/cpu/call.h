// runtime/cpu/call.h -- one step on one rank, with its memory: what every CPU kernel is given.
#pragma once

// GCC 12 takes the AVX-512 intrinsics for reading what they leave undefined (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <Eigen/Core>
#pragma GCC diagnostic pop

#include "models/program.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ithaca {

/// All operands and results are in T, row-major, as large as the local dims of their types say.
/// Memory that two of them share is read element by element before it is written.
template <class T>
struct Call {
  const Program& program;
  const Step& step;
  int rank;
  std::span<const std::byte* const> in_bytes;
  std::span<std::byte* const> out_bytes;

  const T* in(std::size_t i) const { return reinterpret_cast<const T*>(in_bytes[i]); }
  const std::int64_t* ids(std::size_t i) const {
    return reinterpret_cast<const std::int64_t*>(in_bytes[i]);
  }
  T* out(std::size_t i) const { return reinterpret_cast<T*>(out_bytes[i]); }
  const Type& in_type(std::size_t i) const { return program.type(step.in[i]); }
  const Type& out_type(std::size_t i) const { return program.type(step.out[i]); }
  std::int64_t elements(const Type& t) const { return local_elements(t, program.mesh()); }
  std::int64_t size(const Type& t, DimName name) const {
    return local_size(*t.find(name), program.mesh());
  }
};

/// Elements of one row of x: those of the dims of `row`, which are the trailing dims of x.
std::int64_t row_elements(const Program&, const Type& x, const Type& row);

/// A row or a whole tensor as a vector, and a row-major matrix.
template <class T>
using Vector = Eigen::Array<T, Eigen::Dynamic, 1>;
template <class T>
using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
Eigen::Map<const Vector<T>> vector(const T* at, std::int64_t elements) {
  return {at, elements};
}
template <class T>
Eigen::Map<Vector<T>> vector(T* at, std::int64_t elements) {
  return {at, elements};
}

}  // namespace ithaca
