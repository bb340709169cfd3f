#include "planner/space.h"

#include <algorithm>
#include <array>

namespace ithaca {
namespace {

struct Degrees {
  int p, r, u, t;
};

std::vector<Degrees> factorisations(int gpus, std::int64_t batch) {
  std::vector<Degrees> all;
  for (int p = 1; p <= gpus; ++p) {
    if (gpus % p != 0 || batch % p != 0) continue;
    for (int r = 1; r <= gpus / p; ++r) {
      if (gpus / p % r != 0) continue;
      for (int u = 1; u <= gpus / p / r; ++u)
        if (gpus / p / r % u == 0) all.push_back({p, r, u, gpus / p / r / u});
    }
  }
  return all;
}

/// The ring on one axis, r, or with `inner` ranks of it on the second of two, o and i.
Mesh mesh_of(const Degrees& n, int inner = 0) {
  std::vector<Mesh::Extent> extents;
  const std::pair outer = inner > 0 ? std::pair{"o", n.r / inner} : std::pair{"r", n.r};
  for (const auto& [name, ranks] :
       {std::pair{"p", n.p}, outer, {"i", inner}, {"u", n.u}, {"t", n.t}})
    if (ranks > 1) extents.push_back({name, ranks});
  if (extents.empty()) extents.push_back({"p", 1});
  return Mesh(std::move(extents));
}

/// Ranks of a ring that fill a node with those of the axes inside it, of a ring over several nodes; else 0.
int inner_ranks(const Degrees& n, std::int64_t node_gpus) {
  const int others = n.u * n.t;
  if (node_gpus % others != 0) return 0;
  const auto inner = static_cast<int>(node_gpus / others);
  return inner > 1 && n.r > inner && n.r % inner == 0 ? inner : 0;
}

/// The attention half: one term for each axis of the mesh, but one for both of a double ring.
Half attention_half(const Degrees& n, const Term& ring, const char* tp) {
  Half half;
  const auto add = [&](const char* row, const char* axis) {
    half.push_back({find_row(row), Deal::blocks, ring.keep, {axis}});
  };
  if (n.p > 1 || n.r * n.u * n.t == 1) add("data", "p");
  if (n.r > 1) half.push_back(ring);
  if (n.u > 1) add("ulysses", "u");
  if (n.t > 1) add(tp, "t");
  return half;
}

/// The MLP half with its `inner` last terms tensor-parallel and the others on their own tokens.
Half mlp_half(Half half, std::ptrdiff_t inner) {
  Term& last = half.back();
  if (inner == 0 && last.row->kind == StrategyKind::tensor) last.row = find_row("local");
  for (auto term = half.end() - inner; term != half.end(); ++term)
    if (term->row->kind != StrategyKind::tensor) *term = {find_row("tp_sp"), {}, {}, term->axes};
  return half;
}

/// Whether it matters how this half keeps its weights.
bool keeps(const Half& half) {
  return std::ranges::any_of(half, [](const Term& term) { return term.row->keeps_weights; });
}

void append(std::vector<Choice>& all, const Mesh& mesh, const Half& attention, Keep keep) {
  const bool data = attention.front().row->kind == StrategyKind::data;
  auto most = static_cast<std::ptrdiff_t>(attention.size()) - (data ? 1 : 0);
  for (const Term& term : attention)
    if (term.axes.size() > 1) most = &attention.back() - &term;  // not over nodes
  for (std::ptrdiff_t inner = 0; inner <= most; ++inner) {
    const Half mlp = mlp_half(attention, inner);
    if (keep == Keep::ddp && !keeps(attention) && !keeps(mlp)) continue;  // there already
    for (const bool recompute : {false, true}) all.push_back({attention, mlp, mesh, recompute});
  }
}

}  // namespace

std::vector<Choice> choices(int gpus, std::int64_t batch, std::int64_t node_gpus) {
  static constexpr std::array rings{
      std::pair{"ring", Deal::zigzag}, std::pair{"kv_gather", Deal::zigzag},
      std::pair{"ring", Deal::blocks}, std::pair{"kv_gather", Deal::blocks}};
  std::vector<Choice> all;
  for (const Degrees& n : factorisations(gpus, batch))
    for (std::size_t ring = 0; ring < (n.r > 16 ? 2 : n.r > 1 ? rings.size() : 1); ++ring)
      for (const char* const tp : {"tp_sp", "tp"}) {
        if (n.t == 1 && tp != std::string_view("tp_sp")) continue;
        for (const Keep keep : {Keep::zero3, Keep::ddp}) {
          if (n.p * n.r * n.u * n.t == 1 && keep == Keep::ddp) continue;
          const auto& [row, deal] = rings[ring];
          append(all, mesh_of(n), attention_half(n, {find_row(row), deal, keep, {"r"}}, tp), keep);
          const int inner = ring == 0 ? inner_ranks(n, node_gpus) : 0;
          const Term both{find_row("double_ring"), Deal::zigzag, keep, {"o", "i"}};
          if (inner > 0) append(all, mesh_of(n, inner), attention_half(n, both, tp), keep);
        }
      }
  return all;
}

}  // namespace ithaca
