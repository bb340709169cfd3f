// models/backward.h -- derives the backward of everything built so far.
//
// Communication follows from types: the cotangent of a move goes back to where its operand lay, and a partial
// cotangent is settled before arithmetic that is not linear touches it.  Only ring attention has a backward of
// its own.  What a collective gathered in the forward is gathered again, not kept.
#pragma once

#include "models/builder.h"

#include <vector>

namespace ithaca {

/// Appends the backward of all steps so far for the cotangent `dy` of `y`, recomputing regions that ask for it.
/// Returns the cotangents of `wanted` in order (no_value where y does not depend on one).  A value of role weight
/// gets its gradient as it comes, perhaps partial; others are settled to lie as the value does.
/// save_gathered: keep gathered operands for the backward instead of gathering them again.
std::vector<ValueId> differentiate(Builder&, ValueId y, ValueId dy,
                                   const std::vector<ValueId>& wanted, bool save_gathered = false);

}  // namespace ithaca
