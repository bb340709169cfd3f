// runtime/cpu/attention_tiles.h -- what the forward and the backward of attention share.
//
// Queries and keys of one KV head are walked in tiles (Dao et al. 2022).  The g query heads of a KV
// head are rows of one tile: row l g + j is head j of token l.  A rank holds its tokens in
// ascending order of position, so a query sees a prefix of the keys, and the causal mask is a
// number per query.
#pragma once

#include "runtime/cpu/call.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ithaca {

/// One step of attention on one rank: q, o [b L k g e], keys and values [b Lk k e], lse [b L k g].
struct AttentionShape {
  std::int64_t b, L, Lk, k, g, e;
  double scale;                       ///< 1 / sqrt(e)
  std::vector<std::int64_t> visible;  ///< [L]: how many keys, from the first, a query sees

  /// First element of token l of KV head h in a tensor of queries, and of keys.
  std::int64_t query(std::int64_t sample, std::int64_t l, std::int64_t h) const {
    return ((sample * L + l) * k + h) * g * e;
  }
  std::int64_t key(std::int64_t sample, std::int64_t l, std::int64_t h) const {
    return ((sample * Lk + l) * k + h) * e;
  }
};

/// hops >= 0: the keys are those of the rank that many places back along `ring`.
struct KeyHolder {
  bool causal;
  Axis ring;
  int hops;
};
AttentionShape heads_of(const Program&, const Step&, const KeyHolder&, int rank);

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

/// Calls with (first key, keys) for every run of keys that some query of the tile sees.
template <class Call>
void for_each_key_tile(const AttentionShape& h, const Tile& tile, const Call& call) {
  const std::int64_t end = h.visible[static_cast<std::size_t>(tile.first + tile.count - 1)];
  for (std::int64_t c = 0; c < end; c += key_tile) call(c, std::min(key_tile, end - c));
}

/// Of the `keys` keys from `first`, how many the queries of one row of the tile see.
inline std::int64_t seen(const AttentionShape& h, const Tile& tile, std::int64_t row,
                         std::int64_t first, std::int64_t keys) {
  const std::int64_t visible = h.visible[static_cast<std::size_t>(tile.first + row / h.g)];
  return std::clamp<std::int64_t>(visible - first, 0, keys);
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
