// models/backward.h -- derives the backward of steps built so far.
//
// Communication follows from types: the cotangent of a move goes back to where its operand lay, and a partial
// cotangent is settled before arithmetic that is not linear touches it.  Only ring attention has a backward of
// its own, and the cross entropy.  What a collective gathered in the forward is gathered again, not kept.
#pragma once

#include "models/builder.h"
#include "models/recompute.h"

#include <functional>
#include <span>
#include <utility>
#include <vector>

namespace ithaca {

struct BackwardOptions {
  Recompute recompute = {};             ///< by class; whole regions say so themselves
  bool settle = true;                   ///< the cotangents of `wanted` that are no weights
  std::optional<DType> reduction = {};  ///< of weight gradients on the wire; else as they come
  bool hold_results = false;            ///< results_held of Kernels
  bool hold_gradients = false;          ///< whole_gradients of Kernels
  /// Called with each weight of `wanted` and its gradient, perhaps partial, as soon as that is
  /// complete; what it returns counts as the gradient.
  std::function<ValueId(ValueId weight, ValueId gradient)> finish = {};
};

/// Steps [first, last).
struct StepRange {
  std::size_t first, last;
};

/// Appends the backward of the steps of `range` for the cotangents in `seeds` (value, cotangent), recomputing
/// regions that ask for it.  A value of role weight gets its gradient as it comes, perhaps partial; others are
/// settled to lie as the value does.  Returns the cotangents of `wanted`, no_value where there is none.
using Seeds = std::vector<std::pair<ValueId, ValueId>>;
std::vector<ValueId> differentiate(Builder&, StepRange, const Seeds& seeds,
                                   const std::vector<ValueId>& wanted, const BackwardOptions& = {});

}  // namespace ithaca
