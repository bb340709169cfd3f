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

int holder_of(const Mesh& mesh, const KeyHolder& keys, int rank) {
  return keys.hops <= 0 ? rank : mesh.neighbour(rank, keys.ring, -keys.hops);
}

}  // namespace

AttentionShape heads_of(const Program& p, const Step& step, const KeyHolder& keys, int rank) {
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
                   {}};
  h.scale = 1 / std::sqrt(static_cast<double>(q.find(DimName::e)->size));
  h.visible.assign(static_cast<std::size_t>(h.L), h.Lk);
  if (!keys.causal) return h;
  const auto of_q = held(*q.find(DimName::L), p.mesh(), rank);
  const auto of_k = held(*k.find(DimName::L), p.mesh(), holder_of(p.mesh(), keys, rank));
  for (std::size_t l = 0; l < of_q.size(); ++l)
    h.visible[l] = std::ranges::upper_bound(of_k, of_q[l]) - of_k.begin();
  return h;
}

}  // namespace ithaca
