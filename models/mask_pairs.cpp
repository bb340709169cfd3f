// Query-key pairs under a mask, by closed forms over runs of positions: see positions.h.
#include "models/positions.h"

#include <algorithm>

namespace ithaca {
namespace {

using Runs = std::vector<Run>;

std::int64_t last_of(const Run& run) {
  return run.first + (run.count - 1) * run.stride;
}

/// Elements of the run in [begin, end).
Run clip(const Run& run, std::int64_t begin, std::int64_t end) {
  const auto before = [&](std::int64_t position) {
    const std::int64_t ahead = std::max<std::int64_t>(0, position - run.first);
    return std::min((ahead + run.stride - 1) / run.stride, run.count);
  };
  const std::int64_t from = before(begin);
  return {run.first + from * run.stride, run.stride, before(end) - from};
}

/// Calls with every pair of runs that are not empty and the positions [low, high] where causal pairs within equal
/// parts can be: from where the later begins to where the earlier ends.
template <class Call>
void for_each_meeting(const Runs& q, const Runs& k, const Call& call) {
  for (const Run& a : q)
    for (const Run& b : k)
      if (a.count > 0 && b.count > 0)
        call(a, b, std::max(a.first, b.first), std::min(last_of(a), last_of(b)));
}

/// Causal less those `tokens` or more back, which are causal for queries that many positions earlier.
std::int64_t window_pairs(const Mask& mask, Runs q, const Runs& k) {
  const std::int64_t causal = causal_pairs(q, k);
  for (Run& run : q) run.first -= mask.size(0);
  return causal - causal_pairs(q, k);
}

std::int64_t document_pairs(const Mask& mask, const Runs& q, const Runs& k) {
  const std::vector<std::int64_t>& bounds = mask.document_bounds();
  std::int64_t pairs = 0;
  for_each_meeting(q, k, [&](const Run& a, const Run& b, std::int64_t low, std::int64_t high) {
    const std::size_t last = mask.document_of(high);
    for (std::size_t d = mask.document_of(low); d <= last; ++d)
      pairs += causal_pairs(clip(a, bounds[d], bounds[d + 1]), clip(b, bounds[d], bounds[d + 1]));
  });
  return pairs;
}

/// How many elements of the runs lie in each block.
std::vector<std::int64_t> by_block(const Runs& runs, std::int64_t block, std::size_t blocks) {
  std::vector<std::int64_t> counts(blocks);
  for (const Run& run : runs) {
    if (run.count == 0) continue;
    for (std::int64_t n = run.first / block; n <= last_of(run) / block; ++n)
      counts[static_cast<std::size_t>(n)] += clip(run, n * block, (n + 1) * block).count;
  }
  return counts;
}

/// Pairs of a query and a key of the same block.
std::int64_t diagonal_pairs(const Runs& q, const Runs& k, std::int64_t block) {
  std::int64_t pairs = 0;
  for_each_meeting(q, k, [&](const Run& a, const Run& b, std::int64_t low, std::int64_t high) {
    for (std::int64_t n = low / block; n <= high / block; ++n)
      pairs +=
          causal_pairs(clip(a, n * block, (n + 1) * block), clip(b, n * block, (n + 1) * block));
  });
  return pairs;
}

/// Keys of earlier blocks that the queries of each block see, given the keys by block.
std::vector<std::int64_t> seen_fixed(const Mask& mask, const std::vector<std::int64_t>& keys) {
  const auto local = static_cast<std::size_t>(mask.size(1)),
             global = static_cast<std::size_t>(mask.size(2));
  std::vector<std::int64_t> seen(keys.size());
  std::int64_t of_windows = 0, of_own = 0, next = 0;  // global in earlier windows; in this one
  for (std::size_t n = 0; n < keys.size(); ++n) {
    if (n % local == 0) {
      of_windows += next;
      of_own = next = 0;
    }
    seen[n] = of_windows + of_own;
    of_own += keys[n];
    if (n % local >= local - global) next += keys[n];
  }
  return seen;
}

std::vector<std::int64_t> seen_strided(const Mask& mask, const std::vector<std::int64_t>& keys) {
  const auto local = static_cast<std::size_t>(mask.size(1)),
             stride = static_cast<std::size_t>(mask.size(2));
  const std::size_t far =
      (local + stride - 1) / stride * stride;  // the first beyond the local ones
  std::vector<std::int64_t> seen(keys.size()), back(keys);
  std::int64_t near = 0;
  for (std::size_t n = 0; n < keys.size(); ++n) {
    if (n >= stride) back[n] += back[n - stride];
    seen[n] = near + (n >= far ? back[n - far] : 0);
    near += keys[n];
    if (n + 1 >= local) near -= keys[n + 1 - local];
  }
  return seen;
}

std::int64_t block_pairs(const Mask& mask, const Runs& q, const Runs& k) {
  const std::int64_t block = mask.size(0);
  std::int64_t blocks = 0;
  for (const Runs* const runs : {&q, &k})
    for (const Run& run : *runs)
      if (run.count > 0) blocks = std::max(blocks, last_of(run) / block + 1);
  const auto parts = static_cast<std::size_t>(blocks);
  const std::vector<std::int64_t> queries = by_block(q, block, parts),
                                  keys = by_block(k, block, parts);
  const std::vector<std::int64_t> seen =
      mask.kind() == MaskKind::fixed ? seen_fixed(mask, keys) : seen_strided(mask, keys);
  std::int64_t pairs = diagonal_pairs(q, k, block);
  for (std::size_t n = 0; n < parts; ++n) pairs += queries[n] * seen[n];
  return pairs;
}

}  // namespace

std::int64_t pairs(const Mask& mask, const Runs& q, const Runs& k) {
  switch (mask.kind()) {
    case MaskKind::full:
      return count_of(q) * count_of(k);
    case MaskKind::causal:
      return causal_pairs(q, k);
    case MaskKind::window:
      return window_pairs(mask, q, k);
    case MaskKind::documents:
      return document_pairs(mask, q, k);
    case MaskKind::fixed:
    case MaskKind::strided:
      return block_pairs(mask, q, k);
  }
  return 0;
}

}  // namespace ithaca
