// runtime/einsum_fold.h -- an einsum step as one matrix product, for any device.
//
// Builder admits only einsums whose kept and contracted dims are contiguous in each operand, so the
// dims fall into three runs: m (of a and y), n (of b and y) and k (contracted).
#pragma once

#include "models/program.h"

#include <cstdint>

namespace ithaca {

/// y = a b with m, n, k in elements on one rank; everything is row-major.
struct Fold {
  std::int64_t m, n, k;
  bool a_transposed;  ///< a lies as [k, m] instead of [m, k]
  bool b_transposed;  ///< b lies as [n, k] instead of [k, n]
  bool y_transposed;  ///< y lies as [n, m] instead of [m, n]
};

/// The product that `step`, an Einsum, is.  Sizes are those of one rank.  An einsum that does not
/// fold is our bug.
Fold fold(const Program&, const Step&);

}  // namespace ithaca
