#include "sim/topology/import.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace ithaca {
namespace {

/// Between double quotes, as YAML and JSON both read it.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump();
}

std::string rate(double bytes_per_s) {
  return fmt::format("{:.10g} GB/s", bytes_per_s / 1e9);
}

std::string link_text(const char* key, const Link& link) {
  return fmt::format("  {}:\n    kind: {}\n    bandwidth: {}\n    latency: {:.6g} us\n", key,
                     quoted(link.kind), rate(link.bandwidth_bytes_per_s), link.latency_s * 1e6);
}

}  // namespace

std::string cluster_text(const Imported& imported) {
  const Cluster& c = imported.cluster;
  std::string text = fmt::format("name: {}\nsource: {}\n\n", quoted(c.name), quoted(c.source));
  for (const std::string& sentence : imported.assumed)
    text += fmt::format("# Assumed: {}.\n", sentence);
  const char* const cpu = c.cpu == HostCpu::intel ? "intel" : c.cpu == HostCpu::amd ? "amd" : "arm";
  text +=
      fmt::format("gpu: {}\ncpu: {}\ngpus_per_node: {}\nfast_domain_gpus: {}\nhost_memory: {} B\n",
                  c.gpu.name, cpu, c.gpus_per_node, c.fast_domain_gpus, c.host_memory_bytes);
  text += fmt::format(
      "\n# Latencies: NCCL 2.28.9 src/graph/tuning.cc, ring, Simple protocol.  Bandwidths: per "
      "GPU, "
      "one direction.\nbase_latency: {:.6g} us  # per collective\nlinks:\n",
      c.base_latency_s * 1e6);
  text += link_text("intra", c.intra);
  if (c.node) text += link_text("node", *c.node);
  text += link_text("inter", c.inter);
  text += fmt::format("nics_per_node: {}\nnic: {}\n", c.nics_per_node, rate(c.nic_bytes_per_s));
  if (c.sockets)
    text +=
        fmt::format("sockets:\n  count: {}\n  bandwidth: {}\n  peer_cost: {:.6g}\n",
                    c.sockets->count, rate(c.sockets->bandwidth_bytes_per_s), c.sockets->peer_cost);
  if (!c.box.empty()) text += "box:  # the machine, edge by edge; bandwidths of one direction\n";
  for (const BoxEdge& edge : c.box)
    text += fmt::format("  - {{from: {}, to: {}, kind: {}, bandwidth: {}}}\n", edge.from, edge.to,
                        edge.kind, rate(edge.bandwidth_bytes_per_s));
  return text;
}

}  // namespace ithaca
