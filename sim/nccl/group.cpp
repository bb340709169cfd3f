#include "sim/nccl/group.h"

#include "models/error.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace ithaca {
namespace {

constexpr double gb = 1e9;
constexpr int most_channels = 64;  // MAXCHANNELS, src/include/device.h
constexpr int most_searched = most_channels / 2;
constexpr int most_nvls_heads = 32;         // NCCL_MAX_NVLS_ARITY, src/include/device.h
constexpr double intel_p2p_overhead = 1.2;  // src/graph/topo.h:36

/// Links of the group as the search sees them.
struct Room {
  const std::vector<double>* speeds = nullptr;  ///< that a channel may have
  double inside = 0;   ///< bytes/s of a GPU to its node; 0: no two ranks share a node
  double passing = 0;  ///< of all rings: one that leaves the node from a GPU does not use its links
  int devices = 0;     ///< NICs a node has for the group; 0: one node
  double device = 0;   ///< bytes/s of one
  int heads = 0;       ///< GPUs that may lead an NVLS channel; 0: no NVLS
};

int times(double bandwidth, double speed) {
  return static_cast<int>(std::floor(bandwidth / speed * (1 + 1e-9)));
}

int inside_channels(const Room& room, double speed) {
  return room.passing > 0 ? times(room.passing, speed) : most_searched;
}
int nic_channels(const Room& room, double speed) {
  return room.devices > 0 ? room.devices * times(room.device, speed) : most_searched;
}

/// The most channels times speed, from the fastest speed to half of the best so far (search.cc:1120).
template <class ChannelsAt>
NcclGraph search(const std::vector<double>& speeds, ChannelsAt channels_at) {
  NcclGraph best;
  for (const double speed : speeds) {
    if (best.channels > 0 && speed / best.intra_bytes_per_s <= 0.49) break;
    const int channels = std::min(most_searched, channels_at(speed));
    if (channels * speed > best.channels * best.intra_bytes_per_s) best = {channels, speed, speed};
  }
  return best;
}

/// Two channels of half the speed keep more of the GPU busy (ncclTopoDupChannels, search.cc:961-974).
NcclGraph doubled(NcclGraph graph, int compute_capability) {
  const double speed = graph.intra_bytes_per_s;
  if (speed < 25 * gb) return graph;
  if (compute_capability > 80 && speed < 50 * gb && graph.channels > 4) return graph;
  if (2 * graph.channels > most_searched) return graph;  // no machine has that many
  return {2 * graph.channels, speed / 2, graph.inter_bytes_per_s / 2};
}

NcclGraph ring_of(const Room& room, int compute_capability) {
  NcclGraph ring = search(*room.speeds, [&](double speed) {
    return std::min(inside_channels(room, speed), nic_channels(room, speed));
  });
  if (ring.channels == 0) {  // slower than any speed NCCL knows
    const double slowest = room.devices > 0 ? room.device : room.inside;
    ring = {1, slowest, slowest};
  }
  return doubled(ring, compute_capability);
}

/// A tree on the ring's channels; what is left inside a node is used too (search.cc:1165-1169).
NcclGraph tree_of(const Room& room, NcclGraph tree) {
  if (room.devices == 0 || room.inside == 0) return tree;
  for (auto it = room.speeds->rbegin(); it != room.speeds->rend(); ++it) {
    if (*it <= tree.intra_bytes_per_s) continue;
    if (tree.intra_bytes_per_s >= 2 * tree.inter_bytes_per_s) break;
    if (inside_channels(room, *it) < tree.channels) break;
    tree.intra_bytes_per_s = *it;
  }
  return tree;
}

/// Between nodes the NICs bound it, else nothing does (search.cc:1160-1164).
double raised_inter(const Room& room, const NcclGraph& nvls) {
  double inter = nvls.intra_bytes_per_s;
  for (auto it = room.speeds->rbegin(); it != room.speeds->rend(); ++it) {
    if (*it <= inter) continue;
    if (inter >= 2 * nvls.intra_bytes_per_s || nic_channels(room, *it) < nvls.channels) break;
    inter = *it;
  }
  return inter;
}

/// A channel for every GPU, or NIC where those are fewer, at the fastest speed they all fit: a channel's head reads and
/// writes its switch twice, all others once.
NcclGraph nvls_of(const Room& room) {
  const int heads = room.devices > 0 ? std::min(room.heads, room.devices) : room.heads;
  if (heads < 2) return {};
  for (const double speed : *room.speeds) {
    if (times(room.inside, speed) - 1 < heads || nic_channels(room, speed) < heads) continue;
    NcclGraph nvls{heads, speed, speed};
    nvls.inter_bytes_per_s = raised_inter(room, nvls);
    return nvls;
  }
  return {};
}

/// The link between the members of a node.
const Link& inside_link(const Cluster& cluster, const GroupShape& shape) {
  return shape.across_domains && cluster.node ? *cluster.node : cluster.intra;
}

bool is_nvlink(const Cluster& cluster, const GroupShape& shape) {
  return !(shape.across_domains && cluster.node) && cluster.intra.kind.starts_with("nv");
}

/// Bytes/s between two GPUs of a node, and of one of them to all members.
std::pair<double, double> inside_rates(const Cluster& cluster, const GroupShape& shape) {
  const double whole = inside_link(cluster, shape).bandwidth_bytes_per_s;
  if (!is_nvlink(cluster, shape)) {
    const double p2p = cluster.cpu == HostCpu::intel ? whole / intel_p2p_overhead : whole;
    return {p2p, p2p};
  }
  if (!cluster.intra.kind.starts_with("nvlink-mesh")) return {whole, whole};
  const double pair = whole / static_cast<double>(cluster.fast_domain_gpus - 1);
  return {pair, pair * ((shape.fewest > 1 ? shape.fewest : shape.most) - 1)};
}

/// NIC devices a node has for the group, several that serve one GPU taken as one, and what each carries when the groups
/// beside this one use them too.
void add_nics(const Cluster& cluster, const GroupShape& shape, Room& room, NcclGroup& group) {
  const double share = cluster.inter.bandwidth_bytes_per_s;
  double nic = std::max(share, cluster.nic_bytes_per_s);
  if (cluster.gpu.pcie) nic = std::min(nic, cluster.gpu.pcie->nccl_bytes_per_s);
  const auto hosts = std::max<std::int64_t>(1, island_gpus(cluster) / cluster.gpus_per_node);
  const auto nics = static_cast<int>(std::max<std::int64_t>(1, cluster.nics_per_node) * hosts);
  room.devices = cluster.nic_bytes_per_s > share ? std::min(shape.fewest, nics) : shape.fewest;
  const double wanted = room.devices * nic;
  const double had = share * island_gpus(cluster) * shape.fewest / shape.sharers;
  room.device = nic * std::min(1.0, had / wanted);
  group.nic_bytes_per_s = nic;
  group.share_bytes_per_s = room.devices * room.device / shape.fewest;
}

/// LL128 stores of 128 bytes must stay whole on their way (tuning.cc:486-500): NVLink inside, and a NIC that the GPU
/// reaches over PCIe switches alone, or from sm90 on through another GPU.
bool has_ll128(const Cluster& cluster, const GroupShape& shape, const Room& room) {
  if (cluster.gpu.compute_capability < 70) return false;
  if (shape.most > 1 && !is_nvlink(cluster, shape)) return false;
  const bool near = room.devices == 0 || room.devices == shape.fewest;
  return near || (cluster.gpu.compute_capability >= 90 && shape.most > 1);
}

/// Every ring runs twice, and on sm90 and later again where few fast ones leave a node (connect.cc:452,473).
int run_channels_of(const NcclGroup& group) {
  int channels = std::min(most_channels, 2 * group.ring.channels);
  const bool few = group.compute_capability >= 90 && group.nodes > 1 && channels < 16;
  return few && group.ring.intra_bytes_per_s > 45 * gb ? 2 * channels : channels;
}

void add_scales(const Cluster& cluster, const GroupShape& shape, const NcclConstants& nccl,
                NcclGroup& group) {
  const auto ring_s = [&](NcclHop hop) {
    return nccl.hop_s(hop, NcclAlgorithm::ring, NcclProtocol::simple);
  };
  group.base_scale =
      cluster.base_latency_s / nccl.base_s(NcclAlgorithm::ring, NcclProtocol::simple);
  group.inside_scale = inside_link(cluster, shape).latency_s / ring_s(group.inside);
  group.outside_scale = cluster.inter.latency_s / ring_s(NcclHop::net);
}

Room room_of(const Cluster& cluster, const GroupShape& shape, const NcclConstants& nccl,
             NcclGroup& group) {
  const auto arch = static_cast<std::size_t>(nccl_arch(group.compute_capability));
  Room room;
  room.speeds =
      shape.nodes > 1 ? &nccl.speeds_inter_bytes_per_s[arch] : &nccl.speeds_intra_bytes_per_s[arch];
  room.inside = shape.most > 1 ? group.inside_bytes_per_s : 0;
  room.passing =
      shape.nodes > 1 ? room.inside * shape.fewest / std::max(1, shape.fewest - 1) : room.inside;
  if (shape.nodes > 1) add_nics(cluster, shape, room, group);
  if (group.compute_capability >= 90 && is_nvlink(cluster, shape) && shape.most > 1 &&
      cluster.intra.kind.starts_with("nvswitch"))
    room.heads = std::min(most_nvls_heads, shape.fewest);
  return room;
}

}  // namespace

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

NcclGroup nccl_group(const Cluster& cluster, const GroupShape& shape, const NcclConstants& nccl) {
  require(cluster.gpu.compute_capability > 0, "NCCL runs on CUDA GPUs");
  NcclGroup group;
  group.ranks = shape.ranks;
  group.nodes = shape.nodes;
  group.fewest_on_node = shape.fewest;
  group.compute_capability = cluster.gpu.compute_capability;
  group.cpu = cluster.cpu;
  group.inside = is_nvlink(cluster, shape) ? NcclHop::nvlink : NcclHop::pcie;
  std::tie(group.pair_bytes_per_s, group.inside_bytes_per_s) = inside_rates(cluster, shape);
  const Room room = room_of(cluster, shape, nccl, group);
  group.ring = ring_of(room, group.compute_capability);
  group.tree = tree_of(room, group.ring);
  group.nvls = nvls_of(room);
  group.run_channels = run_channels_of(group);
  group.ll128 = has_ll128(cluster, shape, room);
  group.plain_tree = shape.nodes > 1 && (group.compute_capability >= 90 || shape.most == 1);
  add_scales(cluster, shape, nccl, group);
  return group;
}

NcclGroup nccl_group(const Cluster& cluster, const std::vector<int>& ranks) {
  return nccl_group(cluster, group_shape(cluster, ranks));
}

}  // namespace ithaca
