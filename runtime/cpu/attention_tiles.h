// runtime/cpu/attention_tiles.h -- what the forward and the backward of attention share.
//
// Queries and keys of one KV head are walked in tiles (Dao et al. 2022).  The g query heads of a KV
// head are rows of one tile: row l g + j is head j of token l.  A rank holds its tokens in
// ascending order of position, so a range of positions is a range of its keys, and a mask is a few
// ranges per query: one prefix when causal.  Keys that no query of a tile sees are passed over.
#pragma once

#include "models/mask.h"
#include "runtime/cpu/call.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace ithaca {

/// One step of attention on one rank: q, o [b L k g e], keys and values [b Lk k e], lse [b L k g].
struct AttentionShape {
  std::int64_t b, L, Lk, k, g, e;
  double scale;                         ///< 1 / sqrt(e)
  std::vector<KeyRange> seen;           ///< ranges of keys, query after query, each in order
  std::vector<std::size_t> first_seen;  ///< [L + 1]: where those of a query begin

  std::span<const KeyRange> seen_by(std::int64_t l, std::int64_t queries = 1) const {
    const std::size_t first = first_seen[static_cast<std::size_t>(l)];
    return {seen.data() + first, first_seen[static_cast<std::size_t>(l + queries)] - first};
  }

  /// First element of token l of KV head h in a tensor of queries, and of keys.
  std::int64_t query(std::int64_t sample, std::int64_t l, std::int64_t h) const {
    return ((sample * L + l) * k + h) * g * e;
  }
  std::int64_t key(std::int64_t sample, std::int64_t l, std::int64_t h) const {
    return ((sample * Lk + l) * k + h) * e;
  }
};

struct KeysSeen {
  const Mask& mask;
  const KeyHolder& holder;
};
AttentionShape heads_of(const Program&, const Step&, const KeysSeen&, int rank);

// At e = 128 all f32 tiles of the forward take 0.5 MiB and of the backward 1 MiB, the size of a
// second-level cache.
constexpr std::int64_t key_tile = 256;    // tokens
constexpr std::int64_t query_tile = 128;  // rows, tokens times g

/// Tokens [first, first + count) of one KV head of one sample.
struct Tile {
  std::int64_t sample, head, first, count;
};

/// Calls with every tile of queries.
template <class Call>
void for_each_tile(const AttentionShape& h, const Call& call) {
  const std::int64_t tokens = std::max<std::int64_t>(1, query_tile / h.g);
  for (std::int64_t sample = 0; sample < h.b; ++sample)
    for (std::int64_t head = 0; head < h.k; ++head)
      for (std::int64_t l = 0; l < h.L; l += tokens)
        call(Tile{sample, head, l, std::min(tokens, h.L - l)});
}

/// Keys that some query of the tile sees: sorted, disjoint.
std::vector<KeyRange> keys_of(const AttentionShape&, const Tile&);

/// Calls with (first key, keys) for every run of keys that some query of the tile sees.
template <class Call>
void for_each_key_tile(const AttentionShape& h, const Tile& tile, const Call& call) {
  for (const KeyRange& range : keys_of(h, tile))
    for (std::int64_t c = range.begin; c < range.end; c += key_tile)
      call(c, std::min(key_tile, range.end - c));
}

/// Calls with (offset, keys) for what a row of the tile sees of the `keys` keys from `first`.
template <class Call>
void for_each_seen(std::span<const KeyRange> ranges, std::int64_t first, std::int64_t keys,
                   const Call& call) {
  const auto ends_before = [&](const KeyRange& range) { return range.end <= first; };
  auto range = std::ranges::partition_point(ranges, ends_before);
  for (; range != ranges.end() && range->begin < first + keys; ++range) {
    const std::int64_t begin = std::max(range->begin - first, std::int64_t{0});
    call(begin, std::min(range->end - first, keys) - begin);
  }
}

/// Zero where a row of the tile does not see one of the `keys` keys from `first`.
template <class T>
void clear_unseen(std::span<const KeyRange> ranges, std::int64_t first, std::int64_t keys, T* row) {
  std::int64_t done = 0;
  for_each_seen(ranges, first, keys, [&](std::int64_t begin, std::int64_t n) {
    std::fill(row + done, row + begin, T{0});
    done = begin + n;
  });
  std::fill(row + done, row + keys, T{0});
}

/// The tile of x [b L k g e] as consecutive rows [count g, e], times `factor`; and back.
template <class T>
void gather(const AttentionShape& h, const Tile& t, const T* x, T factor, Rows<T>& rows) {
  rows.resize(t.count * h.g, h.e);
  for (std::int64_t l = 0; l < t.count; ++l)
    vector(rows.data() + l * h.g * h.e, h.g * h.e) =
        factor * vector(x + h.query(t.sample, t.first + l, t.head), h.g * h.e);
}
template <class T>
void scatter(const AttentionShape& h, const Tile& t, const Rows<T>& rows, T factor, T* x) {
  for (std::int64_t l = 0; l < t.count; ++l)
    vector(x + h.query(t.sample, t.first + l, t.head), h.g * h.e) =
        factor * vector(rows.data() + l * h.g * h.e, h.g * h.e);
}

/// Where the lse of a row of the tile lies in lse [b L k g].
inline std::int64_t lse_at(const AttentionShape& h, const Tile& t, std::int64_t row) {
  return h.query(t.sample, t.first + row / h.g, t.head) / h.e + row % h.g;
}

/// `keys` keys or values of one head as rows [keys, e]; the other heads lie between them.
template <class T>
using KeyRows = Eigen::Map<Rows<std::remove_const_t<T>>, 0, Eigen::OuterStride<>>;
template <class T>
using ConstKeyRows = Eigen::Map<const Rows<T>, 0, Eigen::OuterStride<>>;

template <class T>
ConstKeyRows<T> key_rows(const AttentionShape& h, const Tile& t, const T* x, std::int64_t first,
                         std::int64_t keys) {
  return {x + h.key(t.sample, first, t.head), keys, h.e, Eigen::OuterStride<>(h.k * h.e)};
}
template <class T>
KeyRows<T> key_rows(const AttentionShape& h, const Tile& t, T* x, std::int64_t first,
                    std::int64_t keys) {
  return {x + h.key(t.sample, first, t.head), keys, h.e, Eigen::OuterStride<>(h.k * h.e)};
}

}  // namespace ithaca
