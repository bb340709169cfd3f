#include "sim/topology/cluster_box.h"
#include "sim/topology/topology.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

/// Draws one island of a cluster.
class Drawing {
 public:
  explicit Drawing(const Cluster& cluster) : c_(cluster) {}

  Graph draw() && {
    for (std::int64_t i = 0; i < c_.island_gpus(); ++i) gpus_.push_back(add_part(g_, Part::gpu));
    nvlinks();
    for (std::int64_t node = 0; node < c_.island_gpus() / c_.gpus_per_node; ++node) host(node);
    leaves();
    return std::move(g_);
  }

 private:
  void nvlinks() {
    if (c_.fast_domain_gpus == 1) return;
    const bool mesh = c_.intra.kind.starts_with("nvlink-mesh");
    for (std::size_t i = 0; i < gpus_.size(); ++i) {
      const std::size_t first = i - i % static_cast<std::size_t>(c_.fast_domain_gpus);
      if (mesh) {
        for (std::size_t j = first; j < i; ++j)
          join(g_, gpus_[j], gpus_[i],
               {Medium::nvlink,
                c_.intra.bandwidth_bytes_per_s / static_cast<double>(c_.fast_domain_gpus - 1),
                c_.intra.latency_s});
        continue;
      }
      if (i == first) switch_ = add_part(g_, Part::nvswitch);
      join(g_, gpus_[i], switch_,
           {Medium::nvlink, c_.intra.bandwidth_bytes_per_s, c_.intra.latency_s / 2});
    }
  }

  /// Sockets, PCIe switches, NICs of a node, with the edges to its GPUs.
  void host(std::int64_t node) {
    const std::int64_t sockets = c_.sockets ? c_.sockets->count : 1;
    // Where only PCIe joins GPUs, or many share a NIC, each has a port of its socket and the NICs stand beside them.
    const bool few = c_.nics_per_node * (pcie_link() != nullptr ? 1 : 2) < c_.gpus_per_node;
    const std::int64_t switches =
        few ? c_.gpus_per_node : std::max(std::min(c_.gpus_per_node, c_.nics_per_node), sockets);
    std::vector<std::size_t> socket, pcie;
    for (std::int64_t s = 0; s < sockets; ++s)
      socket.push_back(
          add_part(g_, Part::socket, c_.sockets ? c_.sockets->peer_cost : peer_cost()));
    for (std::size_t s = 1; s < socket.size(); ++s)
      for (std::size_t t = 0; t < s; ++t)
        join(g_, socket[t], socket[s], {Medium::socket, c_.sockets->bandwidth_bytes_per_s});
    for (std::int64_t s = 0; s < switches; ++s) {
      pcie.push_back(add_part(g_, Part::pcie_switch));
      join(g_, pcie.back(), socket[share(s, switches, sockets)], {Medium::pcie, pcie_rate()});
    }
    for (std::int64_t i = 0; i < c_.gpus_per_node; ++i)
      join(g_, gpus_[static_cast<std::size_t>(node * c_.gpus_per_node + i)],
           pcie[share(i, c_.gpus_per_node, switches)],
           {Medium::pcie, pcie_rate(), pcie_latency_s() / 2});
    for (std::int64_t i = 0; i < c_.nics_per_node; ++i) {
      nics_.push_back(add_part(g_, Part::nic));
      join(g_, nics_.back(),
           few ? socket[share(i, c_.nics_per_node, sockets)]
               : pcie[share(i, c_.nics_per_node, switches)],
           {Medium::pcie, std::max(c_.nic_bytes_per_s, pcie_rate())});
    }
  }

  /// Every rails-th NIC of a node hangs on the same leaf.
  void leaves() {
    const std::int64_t rails = c_.fabric ? c_.fabric->rails : 1;
    std::vector<std::size_t> leaf;
    for (std::int64_t r = 0; r < rails; ++r) leaf.push_back(add_part(g_, Part::leaf));
    for (std::size_t i = 0; i < nics_.size(); ++i)
      join(g_, nics_[i], leaf[i % leaf.size()],
           {Medium::network, c_.nic_bytes_per_s,
            std::max(0.0, (c_.inter.latency_s - pcie_latency_s()) / 2)});
  }

  /// The one of `parts` that thing i of `things` belongs to when they are dealt evenly, in order.
  static std::size_t share(std::int64_t i, std::int64_t things, std::int64_t parts) {
    return static_cast<std::size_t>(i * parts / things);
  }

  /// The link of the file that runs over PCIe, if any does.
  const Link* pcie_link() const {
    return c_.fast_domain_gpus == 1 ? &c_.intra : c_.node ? &*c_.node : nullptr;
  }
  double pcie_rate() const {
    if (const Link* const link = pcie_link()) return link->bandwidth_bytes_per_s;
    return c_.gpu.pcie.value_or(Port{0, c_.intra.bandwidth_bytes_per_s}).nccl_bytes_per_s;
  }
  /// What a byte between two GPUs below one socket takes of PCIe: INTEL_P2P_OVERHEAD, src/graph/topo.h of NCCL 2.28.9.
  double peer_cost() const { return c_.cpu == HostCpu::intel ? 1.2 : 1; }
  double pcie_latency_s() const {
    const Link* const link = pcie_link();
    return link == nullptr ? 0 : link->latency_s;
  }

  const Cluster& c_;
  Graph g_;
  std::vector<std::size_t> gpus_, nics_;
  std::size_t switch_ = 0;
};

}  // namespace

Topology topology_of(const Cluster& c) {
  const std::int64_t pod = c.fabric ? c.fabric->leaf_gpus / c.island_gpus() : 0;
  return {c.box.empty() ? Drawing(c).draw() : graph_of(c), c.name, pod,
          c.fabric ? c.fabric->oversubscription : 1};
}

Graph whole_graph(const Topology& topology, std::int64_t boxes) {
  Graph whole;
  const Graph& box = topology.box();
  const std::size_t spine = topology.pod_boxes() == 0 ? 0 : add_part(whole, Part::spine);
  std::vector<std::size_t> at(boost::num_vertices(box));
  for (std::int64_t b = 0; b < boxes; ++b) {
    const bool new_pod = b == 0 || topology.pod_of(b) != topology.pod_of(b - 1);
    std::int64_t rail = 0;
    for (std::size_t v = 0; v < at.size(); ++v) {
      const bool leaf = box[v].part == Part::leaf;
      if (!leaf || new_pod) at[v] = add_part(whole, box[v].part, box[v].peer_cost);
      if (!leaf || !new_pod || topology.pod_boxes() == 0) continue;
      join(whole, at[v], spine, {Medium::network, topology.uplink_bytes_per_s(rail++)});
    }
    for (const auto& e : boost::make_iterator_range(boost::edges(box)))
      join(whole, at[boost::source(e, box)], at[boost::target(e, box)], box[e]);
  }
  return whole;
}

}  // namespace ithaca
