#include "planner/waterfall.h"

namespace ithaca {
namespace {

/// What is on at once.
struct Setting {
  Recompute recompute;
  Levers levers;
};

struct Lever {
  const char* name;
  void (*pull)(Setting&);
};

Recompute norms_and_activations() {
  Recompute some;
  some.norm = some.act = true;
  return some;
}

constexpr Lever all[] = {
    {"recompute selective", [](Setting& s) { s.recompute = norms_and_activations(); }},
    {"recompute full", [](Setting& s) { s.recompute = true; }},
    {"loss tiles", [](Setting& s) { s.levers.loss_tiles = 0; }},
    {"MLP tiles", [](Setting& s) { s.levers.mlp_tiles = 0; }},
    {"checkpoints on the host",
     [](Setting& s) {
       s.recompute = true;
       s.levers.offload = true;
     }},
    {"optimizer on the host", [](Setting& s) { s.levers.optimizer_offload = true; }},
    {"weights on the host", [](Setting& s) { s.levers.weights_offload = true; }}};

}  // namespace

std::vector<LeverEffect> waterfall(const Job& job, const std::string& strategy, const Mesh& mesh) {
  const auto peak = [&](const Setting& setting) {
    Job pulled = job;
    pulled.levers = setting.levers;
    const Arrangement at = arrange(strategy, mesh, job.shape);
    return need_of(pulled, at, setting.recompute).peak_bytes();
  };
  const std::int64_t none = peak({});
  std::vector<LeverEffect> effects{{"none", none, none}};
  Setting together;
  for (const Lever& lever : all) {
    Setting alone;
    lever.pull(alone);
    lever.pull(together);
    effects.push_back({lever.name, peak(alone), peak(together)});
  }
  return effects;
}

}  // namespace ithaca
