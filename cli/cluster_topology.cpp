#include "cli/cluster_topology.h"

#include "reports/text_table.h"
#include "sim/topology/flows.h"

#include <fmt/format.h>
#include <numeric>

namespace ithaca {
namespace {

struct Flows {
  std::int64_t gpus;
  Routed ring, all_to_all;
};

std::vector<Flows> flows_of(const Cluster& c, const Topology& t) {
  std::vector<std::int64_t> sizes = {t.gpus(), 2 * t.gpus()};
  if (c.fabric && c.fabric->leaf_gpus > t.gpus()) sizes.push_back(2 * c.fabric->leaf_gpus);
  std::vector<Flows> flows;
  for (const std::int64_t gpus : sizes) {
    std::vector<int> ranks(static_cast<std::size_t>(gpus));
    std::iota(ranks.begin(), ranks.end(), 0);
    if (gpus > 1) flows.push_back({gpus, ring(t, ranks), all_to_all(t, ranks)});
  }
  return flows;
}

struct PartKey {
  Part part;
  const char* key;
};
constexpr PartKey parts[] = {{Part::gpu, "gpus"},
                             {Part::nvswitch, "nvswitches"},
                             {Part::pcie_switch, "pcie_switches"},
                             {Part::socket, "sockets"},
                             {Part::nic, "nics"},
                             {Part::leaf, "leaf_switches"}};

Json flow_json(const Routed& routed) {
  return {{"bandwidth_bytes_per_s", routed.bandwidth_bytes_per_s},
          {"latency_s", routed.latency_s},
          {"bottleneck", routed.bottleneck},
          {"hops_leaving_node", routed.hops_leaving_box}};
}

std::string flow_text(const char* key, std::int64_t gpus, const Routed& routed) {
  return fmt::format("{:<20} {:.4g} GB/s a GPU, held back by {}\n",
                     fmt::format("{}, {} GPUs", key, gpus), routed.bandwidth_bytes_per_s / 1e9,
                     routed.bottleneck);
}

}  // namespace

Json topology_json(const Cluster& c) {
  const Topology t = topology_of(c);
  Json json;
  for (const auto& [part, key] : parts) json["vertices"][key] = all_of(t.box(), part).size();
  json["edges"] = boost::num_edges(t.box());
  json["flows"] = Json::array();
  for (const Flows& one : flows_of(c, t))
    json["flows"].push_back({{"gpus", one.gpus},
                             {"ring", flow_json(one.ring)},
                             {"all_to_all", flow_json(one.all_to_all)}});
  return json;
}

std::string topology_text(const Cluster& c) {
  const Topology t = topology_of(c);
  std::string counts;
  for (const auto& [part, key] : parts) {
    const std::size_t count = all_of(t.box(), part).size();
    const char* const plural =
        part == Part::nvswitch || part == Part::pcie_switch || part == Part::leaf ? "es" : "s";
    const std::string name = part == Part::leaf ? "leaf switch" : name_of(part);
    if (count == 0) continue;
    counts +=
        fmt::format("{}{} {}{}", counts.empty() ? "" : ", ", count, name, count == 1 ? "" : plural);
  }
  std::string text = fmt::format("{:<20} {}\n", "parts of a node", wrapped(counts, 95, 21));
  for (const Flows& one : flows_of(c, t)) {
    text += flow_text("one ring", one.gpus, one.ring);
    text += flow_text("all-to-all", one.gpus, one.all_to_all);
  }
  return text;
}

}  // namespace ithaca
