// reports/verdict.h -- whether a published entry is what the program counts, and why not.
//
// A verdict is computed from the counts of the shape at hand, so an entry that holds for full
// multi-head attention may be wrong for grouped queries.  O() hides the factor (N-1)/N, which is
// never held against an entry.
#pragma once

#include "models/layer_shape.h"
#include "reports/closed_forms.h"
#include "reports/layer_facts.h"
#include "reports/published_tables.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

/// forward_only: true of the forward pass alone.  swapped_label: true with AG and RS exchanged.
enum class Verdict : std::uint8_t { right, forward_only, swapped_label, wrong };
/// "right", "forward-only", "swapped label", "wrong"
const char* name_of(Verdict);

struct Judgement {
  PublishedEntry published;
  Verdict verdict = Verdict::right;
  std::string counted;  ///< what stands in place of the entry: "6AG+4RS", "10F Sd", "1/N"
  std::string reason;   ///< "as counted" for an entry that is right and needs no remark
};

/// What entries of one strategy are held against.
struct Evidence {
  const LayerShape& shape;
  int ranks;
  const LayerFacts& facts;
  const ClosedForm& closed_form;
};

Judgement judged(const PublishedEntry&, const Evidence&);
/// Of every published entry about a strategy of ours, in the order of the tables.
std::vector<Judgement> judgements(std::string_view strategy, const Evidence&);

}  // namespace ithaca
