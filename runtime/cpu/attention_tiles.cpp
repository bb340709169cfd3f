#include "runtime/cpu/attention_tiles.h"

#include "models/error.h"
#include "models/positions.h"

#include <cmath>

namespace ithaca {
namespace {

std::vector<std::int64_t> held(const Dim& L, const Mesh& mesh, int rank) {
  std::vector<std::int64_t> tokens;
  for (const Run& run : positions(L, mesh, rank))
    for (std::int64_t i = 0; i < run.count; ++i) tokens.push_back(run.first + i * run.stride);
  require(std::ranges::is_sorted(tokens), "a rank holds its tokens in ascending order");
  return tokens;
}

}  // namespace

AttentionShape heads_of(const Program& p, const Step& step, const KeysSeen& keys, int rank) {
  const Type &q = p.type(step.in[0]), &k = p.type(step.in[1]);
  const auto size = [&](const Type& t, DimName name) {
    return local_size(*t.find(name), p.mesh());
  };
  AttentionShape h{size(q, DimName::b),
                   size(q, DimName::L),
                   size(k, DimName::L),
                   size(q, DimName::k),
                   size(q, DimName::g),
                   size(q, DimName::e),
                   0,
                   {},
                   {0}};
  h.scale = 1 / std::sqrt(static_cast<double>(q.find(DimName::e)->size));
  const auto of_q = held(*q.find(DimName::L), p.mesh(), rank);
  const auto of_k = held(*k.find(DimName::L), p.mesh(), holder_of(keys.holder, p.mesh(), rank));
  const auto key_at = [&](std::int64_t position) {
    return std::ranges::lower_bound(of_k, position) - of_k.begin();
  };
  for (const std::int64_t token : of_q) {
    for (const KeyRange& range : keys.mask.seen_by(token, q.find(DimName::L)->size))
      if (const KeyRange held_keys{key_at(range.begin), key_at(range.end)};
          held_keys.begin < held_keys.end)
        h.seen.push_back(held_keys);
    h.first_seen.push_back(h.seen.size());
  }
  return h;
}

std::vector<KeyRange> keys_of(const AttentionShape& h, const Tile& tile) {
  const auto all = h.seen_by(tile.first, tile.count);
  std::vector<KeyRange> sorted(all.begin(), all.end()), united;
  std::ranges::sort(sorted, {}, &KeyRange::begin);
  for (const KeyRange& range : sorted)
    if (united.empty() || range.begin > united.back().end)
      united.push_back(range);
    else
      united.back().end = std::max(united.back().end, range.end);
  return united;
}

}  // namespace ithaca
