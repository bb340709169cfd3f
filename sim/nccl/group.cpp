#include "sim/nccl/group.h"

#include "models/error.h"
#include "sim/topology/beside.h"
#include "sim/topology/group_route.h"
#include "sim/topology/ring_search.h"

#include <algorithm>
#include <cmath>

namespace ithaca {
namespace {

constexpr double gb = 1e9;
constexpr int most_channels = 64;    // MAXCHANNELS, src/include/device.h
constexpr int most_nvls_heads = 32;  // NCCL_MAX_NVLS_ARITY, src/include/device.h

/// Where a group lies, and the speeds that its channels may have.
struct Ground {
  const Topology& topology;
  const GroupPlace& place;
  GroupRoute route;
  const std::vector<double>& speeds;
};

/// Whether every box of the group passes a test of the group's GPUs there.
template <class Test>
bool everywhere(const Ground& g, const Test& test) {
  return std::ranges::all_of(
      g.place.kinds, [&](const std::vector<Members>& parts) { return test(parts.front()); });
}

NcclGraph ring_of(const Ground& g, int compute_capability) {
  const Channels found = ring_channels(g.topology, g.place, g.speeds, compute_capability);
  return {static_cast<int>(found.count), found.bandwidth_bytes_per_s, found.bandwidth_bytes_per_s};
}

/// A tree on the ring's channels; what is left inside a node is used too (search.cc:1165-1169).
NcclGraph tree_of(const Ground& g, NcclGraph tree) {
  if (g.place.boxes == 1 || g.place.most == 1) return tree;
  for (auto speed = g.speeds.rbegin(); speed != g.speeds.rend(); ++speed) {
    if (*speed <= tree.intra_bytes_per_s) continue;
    if (tree.intra_bytes_per_s >= 2 * tree.inter_bytes_per_s) break;
    const bool fits = everywhere(g, [&](const Members& members) {
      const RingSpeed both{*speed, tree.inter_bytes_per_s};
      return rings_through(g.topology, members, true, both, tree.channels).count == tree.channels;
    });
    if (!fits) break;
    tree.intra_bytes_per_s = *speed;
  }
  return tree;
}

/// Whether the NICs of every box let so many channels of a speed pass.
bool nics_hold(const Ground& g, int channels, double speed) {
  return g.place.boxes == 1 || everywhere(g, [&](const Members& members) {
           return rings_leaving(g.topology, members, speed, channels).count == channels;
         });
}

/// Between nodes the NICs bound it, else nothing does (search.cc:1160-1164).
double raised_inter(const Ground& g, const NcclGraph& nvls) {
  double inter = nvls.intra_bytes_per_s;
  for (auto speed = g.speeds.rbegin(); speed != g.speeds.rend(); ++speed) {
    if (*speed <= inter) continue;
    if (inter >= 2 * nvls.intra_bytes_per_s || !nics_hold(g, nvls.channels, *speed)) break;
    inter = *speed;
  }
  return inter;
}

/// A channel for every GPU, or NIC where those are fewer, at the fastest speed they all fit: a channel's head reads and
/// writes its switch twice, all others once.
NcclGraph nvls_of(const Ground& g, int compute_capability) {
  int heads = std::min(most_nvls_heads, g.place.fewest);
  if (g.place.boxes > 1) heads = std::min(heads, g.route.nic_sets);
  if (compute_capability < 90 || g.route.nvswitch_bytes_per_s == 0 || heads < 2) return {};
  for (const double speed : g.speeds) {
    const double held = std::floor(g.route.nvswitch_bytes_per_s / speed * (1 + 1e-9));
    if (held - 1 < heads || !nics_hold(g, heads, speed)) continue;
    NcclGraph nvls{heads, speed, speed};
    nvls.inter_bytes_per_s = raised_inter(g, nvls);
    return nvls;
  }
  return {};
}

/// What the groups beside this one leave of its channels.
void share_links(const Ground& g, NcclGroup& group) {
  if (group.ring.channels == 0) return;
  const double rings = ring_share(g.topology, g.place, group.ring.channels,
                                  group.ring.inter_bytes_per_s),
               nics = group.nvls.channels == 0 || group.nodes == 1
                          ? 1
                          : leaving_share(g.topology, g.place, group.nvls.channels,
                                          group.nvls.inter_bytes_per_s);
  for (NcclGraph* const graph : {&group.ring, &group.tree}) {
    graph->intra_bytes_per_s *= rings;
    graph->inter_bytes_per_s *= rings;
  }
  group.nvls.inter_bytes_per_s *= nics;
  const ExchangeRate exchange = exchange_rate(g.topology, g.place);
  group.exchange_nvlink_bytes_per_s = exchange.nvlink_bytes_per_s;
  group.exchange_bytes_per_s = exchange.other_bytes_per_s;
}

/// LL128 stores of 128 bytes must stay whole on their way (tuning.cc:486-500): NVLink inside, and a NIC that the GPU
/// reaches over PCIe switches alone, or from sm90 on through another GPU.
bool has_ll128(int compute_capability, const GroupRoute& route) {
  if (compute_capability < 70 || route.intra != HopType::nvlink) return false;
  return !route.inter || *route.inter <= (compute_capability >= 90 ? HopType::pxn : HopType::pxb);
}

/// Every ring runs twice, and on sm90 and later again where few fast ones leave a node (connect.cc:452,473).
int run_channels_of(const NcclGroup& group) {
  const int channels = std::min(most_channels, 2 * group.ring.channels);
  const bool few = group.compute_capability >= 90 && group.nodes > 1 && channels < 16;
  return few && group.ring.intra_bytes_per_s > 45 * gb ? 2 * channels : channels;
}

void add_scales(const Cluster& cluster, const NcclConstants& nccl, NcclGroup& group) {
  const auto ring_s = [&](NcclHop hop) {
    return nccl.hop_s(hop, NcclAlgorithm::ring, NcclProtocol::simple);
  };
  const bool across = group.inside == NcclHop::pcie && cluster.node;
  const double inside_s = across ? cluster.node->latency_s : cluster.intra.latency_s;
  group.base_scale =
      cluster.base_latency_s / nccl.base_s(NcclAlgorithm::ring, NcclProtocol::simple);
  group.inside_scale = inside_s / ring_s(group.inside);
  group.outside_scale = cluster.inter.latency_s / ring_s(NcclHop::net);
}

}  // namespace

NcclGroup nccl_group(const Cluster& cluster, const Topology& topology, const GroupPlace& place,
                     const NcclConstants& nccl) {
  require(cluster.gpu.compute_capability > 0, "NCCL runs on CUDA GPUs");
  NcclGroup group;
  group.ranks = place.ranks;
  group.nodes = place.boxes;
  group.fewest_on_node = place.fewest;
  group.compute_capability = cluster.gpu.compute_capability;
  group.cpu = cluster.cpu;
  const auto arch = static_cast<std::size_t>(nccl_arch(group.compute_capability));
  const Ground ground{
      topology, place, route(topology, place),
      group.nodes > 1 ? nccl.speeds_inter_bytes_per_s[arch] : nccl.speeds_intra_bytes_per_s[arch]};
  const GroupRoute& way = ground.route;
  group.inside = way.intra == HopType::nvlink ? NcclHop::nvlink : NcclHop::pcie;
  group.pair_bytes_per_s = way.pair_bytes_per_s;
  group.nic_bytes_per_s = way.nic_bytes_per_s;
  group.ring = ring_of(ground, group.compute_capability);
  group.tree = tree_of(ground, group.ring);
  group.nvls = nvls_of(ground, group.compute_capability);
  group.run_channels = run_channels_of(group);
  group.ll128 = has_ll128(group.compute_capability, way);
  group.plain_tree = group.nodes > 1 && (group.compute_capability >= 90 || place.most == 1);
  share_links(ground, group);
  add_scales(cluster, nccl, group);
  return group;
}

NcclGroup nccl_group(const Cluster& cluster, const std::vector<int>& ranks,
                     const NcclConstants& nccl) {
  const Topology topology = topology_of(cluster);
  return nccl_group(cluster, topology, place_of(topology, ranks), nccl);
}

int island_gpus(const Cluster& cluster) {
  return static_cast<int>(std::max(cluster.gpus_per_node, cluster.fast_domain_gpus));
}

GroupShape group_shape(const Cluster& cluster, const std::vector<int>& ranks,
                       int sharers_per_node) {
  if (!std::ranges::is_sorted(ranks)) {
    std::vector<int> sorted = ranks;
    std::ranges::sort(sorted);
    return group_shape(cluster, sorted, sharers_per_node);
  }
  const int island = island_gpus(cluster), domain = static_cast<int>(cluster.fast_domain_gpus);
  GroupShape shape;
  shape.ranks = shape.fewest = static_cast<int>(ranks.size());
  shape.nodes = 0;
  for (auto it = ranks.begin(); it != ranks.end();) {
    const int next = (*it / island + 1) * island;
    auto end = it;
    while (end != ranks.end() && *end < next) ++end;
    const auto members = static_cast<int>(end - it);
    ++shape.nodes;
    shape.fewest = std::min(shape.fewest, members);
    shape.most = std::max(shape.most, members);
    shape.across_domains = shape.across_domains || *it / domain != *(end - 1) / domain;
    it = end;
  }
  shape.sharers = std::max(shape.most, sharers_per_node);
  return shape;
}

}  // namespace ithaca
