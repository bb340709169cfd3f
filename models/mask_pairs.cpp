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

struct InBlock {
  std::int64_t block, count;
};

/// How many elements of the runs lie in which block, in order of blocks.
std::vector<InBlock> by_block(const Runs& runs, std::int64_t block) {
  std::vector<InBlock> held;
  std::int64_t most = 0;
  for (const Run& run : runs)
    if (run.count > 0) most += std::min(run.count, (last_of(run) - run.first) / block + 2);
  held.reserve(static_cast<std::size_t>(most));
  for (const Run& run : runs)
    for (std::int64_t i = 0; i < run.count;) {
      const std::int64_t at = run.first + i * run.stride, n = at / block;
      const std::int64_t inside = ((n + 1) * block - at + run.stride - 1) / run.stride;
      held.push_back({n, std::min(inside, run.count - i)});
      i += inside;
    }
  if (!std::ranges::is_sorted(held, {}, &InBlock::block))
    std::ranges::sort(held, {}, &InBlock::block);
  return held;
}

/// Pairs of a query and a key of the same block.
std::int64_t diagonal_pairs(const Runs& q, const Runs& k, std::int64_t block) {
  std::int64_t pairs = 0;
  for_each_meeting(q, k, [&](const Run& a, const Run& b, std::int64_t low, std::int64_t high) {
    const auto within = [&](std::int64_t n) {
      return causal_pairs(clip(a, n * block, (n + 1) * block), clip(b, n * block, (n + 1) * block));
    };
    std::int64_t n = low / block;
    const std::int64_t last = high / block;
    // Where strides divide a block, all blocks but the first and the last are alike.
    if (block % a.stride == 0 && block % b.stride == 0 && last - n > 2) {
      pairs += within(n) + (last - n - 1) * within(n + 1);
      n = last;
    }
    for (; n <= last; ++n) pairs += within(n);
  });
  return pairs;
}

/// Which earlier blocks a block sees: all from near(block) on, and before that the selected ones of its residue.
struct BlockPattern {
  bool fixed;
  std::int64_t local, third;

  std::int64_t near(std::int64_t n) const {
    return fixed ? n / local * local : std::max<std::int64_t>(0, n - local + 1);
  }
  bool selected(std::int64_t n) const { return !fixed || n % local >= local - third; }
  std::size_t residues() const { return fixed ? 1 : static_cast<std::size_t>(third); }
};

/// Pairs of a query and a key of an earlier block, in one sweep over the queries.
std::int64_t earlier_pairs(const BlockPattern& pattern, const std::vector<InBlock>& queries,
                           const std::vector<InBlock>& keys) {
  std::vector<std::int64_t> far(pattern.residues());
  const auto residue = [&](std::int64_t n) { return static_cast<std::size_t>(n) % far.size(); };
  std::int64_t pairs = 0, near = 0;
  auto ahead = keys.begin(), behind = keys.begin();  // near are the keys between
  for (const InBlock& q : queries) {
    for (; ahead != keys.end() && ahead->block < q.block; ++ahead) near += ahead->count;
    for (; behind != ahead && behind->block < pattern.near(q.block); ++behind) {
      near -= behind->count;
      if (pattern.selected(behind->block)) far[residue(behind->block)] += behind->count;
    }
    pairs += q.count * (near + far[residue(q.block)]);
  }
  return pairs;
}

std::int64_t block_pairs(const Mask& mask, const Runs& q, const Runs& k) {
  const std::int64_t block = mask.size(0);
  const BlockPattern pattern{mask.kind() == MaskKind::fixed, mask.size(1), mask.size(2)};
  return diagonal_pairs(q, k, block) +
         earlier_pairs(pattern, by_block(q, block), by_block(k, block));
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
