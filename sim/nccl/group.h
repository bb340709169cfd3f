// sim/nccl/group.h -- what NCCL's search finds about a group of GPUs; all that its time model needs.
//
// NCCL looks for rings and trees that every link can carry: so many channels, each of one of a few speeds
// (src/graph/search.cc of 2.28.9).  nccl_group() answers in closed form for the clusters of cluster_specs: a switch or an
// even mesh of NVLinks, or PCIe, inside; one NIC device a GPU, or fewer that GPUs share.  A topology graph may fill in an
// NcclGroup of its own.
#pragma once

#include "sim/cluster.h"
#include "sim/nccl/constants.h"

#include <compare>
#include <vector>

namespace ithaca {

struct NcclGraph {
  int channels = 0;  ///< 0: not there
  double intra_bytes_per_s = 0,
         inter_bytes_per_s = 0;  ///< of one channel: in a node, between nodes
};

struct NcclGroup {
  int ranks = 1, nodes = 1;  ///< a node is what NVLink joins, if that is more than a host
  int compute_capability = 80;
  HostCpu cpu = HostCpu::intel;
  NcclHop inside = NcclHop::nvlink;  ///< between neighbours of one node
  NcclGraph ring, tree, nvls;
  int run_channels = 0;      ///< of rings and trees, as copied for running
  bool ll128 = true;         ///< paths are direct enough for protocol LL128
  bool plain_tree = false;   ///< one child a node: NCCL found no tree that balances its NICs
  bool sharp = false;        ///< switches that reduce (CollNet)
  double nic_latency_s = 0;  ///< as the network plugin states it

  /// One direction.  Of a GPU to all peers in its node, and to one of them; of a NIC to a GPU that uses it alone; of
  /// the NICs to each rank when all of the ranks that share them send.
  double inside_bytes_per_s = 0, pair_bytes_per_s = 0, nic_bytes_per_s = 0, share_bytes_per_s = 0;
  int fewest_on_node = 1;
  /// Measured or given latencies over those of NCCL's tables: of the base, of hops inside and outside a node.
  double base_scale = 1, inside_scale = 1, outside_scale = 1;
};

/// How a group lies on the nodes of a cluster; groups of one shape are alike to NCCL.
struct GroupShape {
  int ranks = 1, nodes = 1;
  int fewest = 1, most = 1;     ///< ranks on a node
  bool across_domains = false;  ///< some node has members that NVLink does not join
  int sharers =
      1;  ///< ranks that use the NICs of a node at once, in this group and in those beside it
  auto operator<=>(const GroupShape&) const = default;
};

/// The shape of the ranks, GPU numbers of the cluster in any order; `sharers_per_node` at least those of the group.
GroupShape group_shape(const Cluster&, const std::vector<int>& ranks, int sharers_per_node = 1);

/// The GPU of the cluster has a compute capability.
NcclGroup nccl_group(const Cluster&, const GroupShape&, const NcclConstants& = default_nccl());
NcclGroup nccl_group(const Cluster&, const std::vector<int>& ranks);

/// GPUs that reach one another without a NIC.
int island_gpus(const Cluster&);

}  // namespace ithaca
