// models/positions.h -- which tokens a rank holds, and how many query-key pairs a mask leaves.
#pragma once

#include "models/mask.h"
#include "models/type.h"

#include <cstdint>
#include <vector>

namespace ithaca {

/// Positions first, first + stride, ..., `count` of them.
struct Run {
  std::int64_t first, stride, count;
  bool operator==(const Run&) const = default;
};

/// The indices of a dimension that `rank` holds, in the order it holds them.
std::vector<Run> positions(const Dim&, const Mesh&, int rank);

/// Pairs (q, k) the mask leaves: what attention computes.  No mask takes time for every token: documents take it
/// for every document, and fixed and strided for every block, of the runs.
std::int64_t pairs(const Mask&, const std::vector<Run>& q, const std::vector<Run>& k);
/// Pairs with position k <= position q.
std::int64_t causal_pairs(const std::vector<Run>& q, const std::vector<Run>& k);
std::int64_t causal_pairs(const Run& q, const Run& k);
std::int64_t count_of(const std::vector<Run>&);

}  // namespace ithaca
