#include "reports/layer_facts.h"

#include "sim/memory.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <numeric>
#include <set>
#include <vector>

namespace ithaca {
namespace {

bool is_weight(Role role) {
  return role == Role::weight || role == Role::weight_gradient;
}

/// The weight an event is about: gradients are called d + its name.
std::string weight_name(const Event& e) {
  return e.role == Role::weight_gradient ? e.tensor.substr(1) : e.tensor;
}

void read_activations(LayerFacts& facts, const std::vector<Event>& events) {
  std::set<std::string> gathered;
  for (const Event& e : events) {
    if (is_weight(e.role)) continue;
    (e.phase == Phase::forward ? facts.forward : facts.backward)[e.wire] += e.calls;
    if (e.wire != Wire::all_gather) continue;
    if (e.phase == Phase::forward)
      gathered.insert(e.tensor);
    else if (gathered.contains(e.tensor))
      facts.repeated_gathers += e.calls;
  }
}

void read_weights(LayerFacts& facts, const std::vector<Event>& events) {
  std::map<std::string, WireCalls> calls;
  for (const Event& e : events) {
    if (!is_weight(e.role)) continue;
    const std::string name = weight_name(e);
    if (!calls.contains(name)) facts.gathered_parameters += e.elements;
    calls[name][e.wire] += e.calls;
    const bool mlp = name == "w_gate" || name == "w_up" || name == "w_down";
    (mlp ? facts.mlp_weights : facts.attention_weights) = true;
  }
  for (const auto& [name, each] : calls)
    if (each.all() > facts.each_weight.all()) facts.each_weight = each;
}

void read_elements(LayerFacts& facts, const Program& p) {
  for (const Step& step : p.steps()) {
    const Traffic t = traffic_of(p, step);
    if (t.wire == Wire::none) continue;
    const Value& sent = p[step.in[0]];
    SentElements& sum = is_weight(sent.role) ? facts.weight : facts.activation;
    (step.phase == Phase::forward ? sum.forward : sum.backward) +=
        t.sent_bytes / bytes_of(sent.type.dtype);
  }
}

std::vector<ValueId> saved_values(const Program& p) {
  const std::vector<MemoryRole> role = memory(p).role;
  std::vector<ValueId> saved;
  for (ValueId v = 0; v < p.values().size(); ++v)
    if (role[v] == MemoryRole::saved) saved.push_back(v);
  return saved;
}

std::vector<ValueId> weight_matrices(const Layer& layer) {
  std::vector<ValueId> matrices;
  for (const Parameter& w : layer.weights) {
    const Dims& dims = layer.program.type(w.stored).dims;
    // Gains have the one dim d or e; biases lack d; matrices have d and another.
    const bool has_d = layer.program.type(w.stored).find(DimName::d) != nullptr;
    if (dims.size() > 1 && has_d) matrices.push_back(w.stored);
  }
  return matrices;
}

Share share_of(const Program& p, const std::vector<ValueId>& values, const Program& alone,
               const std::vector<ValueId>& values_alone) {
  Share share;
  share.ranks = p.mesh().ranks();
  for (const ValueId v : values) {
    const std::int64_t bytes = local_bytes(p.type(v), p.mesh());
    share.local_bytes += bytes;
    if (p.mesh().ranks(axes_of(p.type(v))) == 1) share.copied_bytes += bytes;
  }
  for (const ValueId v : values_alone)
    share.one_rank_bytes += local_bytes(alone.type(v), alone.mesh());
  return share;
}

/// Two digits after the point, none when they are zeros.
std::string short_number(double x) {
  std::string text = fmt::format("{:.2f}", x);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

int WireCalls::all() const {
  return std::accumulate(calls.begin(), calls.end(), 0);
}

WireCalls operator+(WireCalls a, const WireCalls& b) {
  for (std::size_t i = 0; i < a.calls.size(); ++i) a.calls[i] += b.calls[i];
  return a;
}

std::string label(const WireCalls& calls) {
  struct Short {
    Wire wire;
    const char* name;
  };
  constexpr std::array shorts{Short{Wire::all_gather, "AG"}, Short{Wire::reduce_scatter, "RS"},
                              Short{Wire::all_reduce, "AR"}, Short{Wire::all_to_all, "A2A"},
                              Short{Wire::send_recv, "P2P"}};
  std::string text;
  for (const Short& s : shorts)
    if (calls[s.wire] > 0)
      text += fmt::format("{}{}{}", text.empty() ? "" : "+", calls[s.wire], s.name);
  return text.empty() ? "-" : text;
}

std::string text_of(const Share& share) {
  if (share.one_rank_bytes == 0) return "-";
  if (share.local_bytes == share.one_rank_bytes) return "full";
  const auto whole = static_cast<double>(share.one_rank_bytes);
  const double copied = static_cast<double>(share.copied_bytes) / whole;
  const double split =
      static_cast<double>(share.local_bytes - share.copied_bytes) * share.ranks / whole;
  const std::string factor = short_number(split);
  if (share.copied_bytes == 0) return factor + "/N";
  return fmt::format("{} + {}/N", short_number(copied), factor);
}

LayerFacts facts_of(const Layer& layer, const Count& counted, const Layer& alone) {
  LayerFacts facts;
  read_activations(facts, counted.events);
  read_weights(facts, counted.events);
  read_elements(facts, layer.program);
  facts.saved = share_of(layer.program, saved_values(layer.program), alone.program,
                         saved_values(alone.program));
  facts.weights =
      share_of(layer.program, weight_matrices(layer), alone.program, weight_matrices(alone));
  return facts;
}

}  // namespace ithaca
