// reports/closed_forms.h -- the textbook formulas, as text beside the counts.
//
// Nothing is computed from them: every byte the product reports comes from count().  They can be
// evaluated so that a reader sees formula and count side by side and tests can hold them equal.
// Per rank, one layer, one micro-batch, forward and backward without recomputation.
#pragma once

#include "models/catalog.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ithaca {

/// How the ranks of one strategy are shared out; 1 where it has no such axis.
struct Degrees {
  int all = 1, ulysses = 1, ring = 1;
};
/// From the table of attention, whatever the axes are called: Ulysses are axes of the tokens before
/// attention and of the heads inside.
Degrees degrees_of(const Arrangement&);

struct Formula {
  std::string_view text;      ///< such as "8F Sd", in elements
  std::int64_t elements = 0;  ///< its value for one shape, rounded down where it is not whole
  std::int64_t bytes = 0;     ///< of bf16 elements, and f32 ones where the text says so
};

struct ClosedForm {
  Formula activation, weight;
};

/// For a name of published_strategies().  Exact when every dimension divides.
ClosedForm closed_form(std::string_view strategy, const LayerShape&, const Degrees&);

/// Whether a count is the formula's value, but for the padding of shards.
bool holds(const Formula&, std::int64_t counted_elements);
/// "10F Sd", or "10F Sd (x1.35)" where the count is 1.35 times the value: layers that do more than
/// the textbook's, such as norms of keys that lie copied.
std::string text_beside(const Formula&, std::int64_t counted_elements);

/// What the letters mean.
std::string_view closed_form_letters();

}  // namespace ithaca
