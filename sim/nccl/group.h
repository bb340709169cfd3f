// sim/nccl/group.h -- what NCCL's search finds about a group of GPUs; all that its time model needs.
//
// NCCL looks for rings and trees that every link can carry: so many channels, each of one of a few speeds
// (src/graph/search.cc of 2.28.9).  nccl_group() looks for them on the topology (sim/topology), and lowers what it finds
// where the groups beside this one use the same links, of which NCCL knows nothing.
#pragma once

#include "sim/cluster.h"
#include "sim/nccl/constants.h"

#include <compare>
#include <vector>

namespace ithaca {

class Topology;
struct GroupPlace;

struct NcclGraph {
  int channels = 0;  ///< 0: not there
  double intra_bytes_per_s = 0,
         inter_bytes_per_s = 0;  ///< of one channel: in a node, between nodes
};

struct NcclGroup {
  int ranks = 1, nodes = 1;  ///< a node is what NVLink joins, if that is more than a host
  int compute_capability = 80;
  HostCpu cpu = HostCpu::intel;
  NcclHop inside = NcclHop::nvlink;  ///< between ranks of one node
  NcclGraph ring, tree, nvls;
  int run_channels = 0;      ///< of rings and trees, as copied for running
  bool ll128 = true;         ///< paths are direct enough for protocol LL128
  bool plain_tree = false;   ///< one child a node: NCCL found no tree that balances its NICs
  bool sharp = false;        ///< switches that reduce (CollNet)
  double nic_latency_s = 0;  ///< as the network plugin states it

  /// One direction: between two GPUs of a node, and of the NICs to a GPU that uses them alone.
  double pair_bytes_per_s = 0, nic_bytes_per_s = 0;
  /// Of all a rank has in an all-to-all, its own part included, beside the other groups: what NVLinks and all other links
  /// carry; infinity where nothing goes that way.
  double exchange_nvlink_bytes_per_s = 0, exchange_bytes_per_s = 0;
  int fewest_on_node = 1;
  /// Measured or given latencies over those of NCCL's tables: of the base, of hops inside and outside a node.
  double base_scale = 1, inside_scale = 1, outside_scale = 1;
};

/// The GPU of the cluster has a compute capability; the topology is the cluster's.
NcclGroup nccl_group(const Cluster&, const Topology&, const GroupPlace&,
                     const NcclConstants& = default_nccl());
/// Of ranks that have no groups beside them, GPU numbers in any order.
NcclGroup nccl_group(const Cluster&, const std::vector<int>& ranks,
                     const NcclConstants& = default_nccl());

/// How a measured group lay on the nodes of a cluster; curves of one shape stand for all such groups.
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

/// GPUs that reach one another without a NIC.
int island_gpus(const Cluster&);

}  // namespace ithaca
