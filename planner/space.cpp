#include "planner/space.h"

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

using Terms = std::vector<std::string>;

std::string join(const Terms& terms) {
  std::string text;
  for (const std::string& term : terms) text += (text.empty() ? "" : " * ") + term;
  return text;
}

Mesh mesh_of(const Degrees& n) {
  std::vector<Mesh::Extent> extents;
  for (const auto& [name, ranks] : {std::pair{"p", n.p}, {"r", n.r}, {"u", n.u}, {"t", n.t}})
    if (ranks > 1) extents.push_back({name, ranks});
  if (extents.empty()) extents.push_back({"p", 1});
  return Mesh(std::move(extents));
}

/// The attention half: one term for each axis of the mesh.
Terms attention_terms(const Degrees& n, const std::string& ring, const std::string& tp,
                      const std::string& keep) {
  Terms terms;
  if (n.p > 1 || n.p * n.r * n.u * n.t == 1) terms.push_back("data" + keep + "(p)");
  if (n.r > 1) terms.push_back(ring + keep + "(r)");
  if (n.u > 1) terms.push_back("ulysses" + keep + "(u)");
  if (n.t > 1) terms.push_back(tp + "(t)");
  return terms;
}

/// The MLP half with its `inner` last axes tensor-parallel and the others on their own tokens.
Terms mlp_terms(const Degrees& n, const Terms& attention, std::size_t inner,
                const std::string& keep) {
  Terms terms = attention;
  if (n.t > 1 && inner == 0) terms.back() = "local" + keep + "(t)";
  for (std::size_t i = 0; i < inner; ++i) {
    std::string& term = terms[terms.size() - 1 - i];
    const std::string axis = term.substr(term.find('('));
    if (axis != "(t)") term = "tp_sp" + axis;
  }
  return terms;
}

void append(std::vector<Choice>& all, const Degrees& n, const Terms& attention,
            const std::string& keep) {
  const std::size_t most = attention.size() - (n.p > 1 || n.p * n.r * n.u * n.t == 1 ? 1 : 0);
  for (std::size_t inner = 0; inner <= most; ++inner)
    for (const bool recompute : {false, true})
      all.push_back(
          {join(attention), join(mlp_terms(n, attention, inner, keep)), mesh_of(n), recompute});
}

}  // namespace

std::vector<Choice> choices(int gpus, std::int64_t batch) {
  static constexpr std::array rings{"ring_zigzag", "kv_gather_zigzag", "ring", "kv_gather"};
  std::vector<Choice> all;
  for (const Degrees& n : factorisations(gpus, batch))
    for (std::size_t ring = 0; ring < (n.r > 16 ? 2 : n.r > 1 ? rings.size() : 1); ++ring)
      for (const char* const tp : {"tp_sp", "tp"}) {
        if (n.t == 1 && tp != std::string_view("tp_sp")) continue;
        for (const char* const keep : {"_zero3", "_ddp"}) {
          if (n.p * n.r * n.u == 1 && keep == std::string_view("_ddp") && n.t == 1) continue;
          append(all, n, attention_terms(n, rings[ring], tp, keep), keep);
        }
      }
  return all;
}

}  // namespace ithaca
