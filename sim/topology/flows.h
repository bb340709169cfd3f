// sim/topology/flows.h -- what a group of ranks gets of the links when all its flows run at once.
//
// Flows load the arcs of their paths; an arc gives each byte its share, so a hop takes as long as
// its most loaded arc: seconds per byte = max over arcs of load / bandwidth.  Ranks are GPUs,
// numbered box by box.  Only boxes that the group touches are held.
#pragma once

#include "sim/topology/topology.h"

#include <string>
#include <vector>

namespace ithaca {

/// One flow, from a rank to another.
struct Hop {
  int from = 0, to = 0;
  HopType type = HopType::nvlink;  ///< the farthest it goes inside a box
  bool leaves_box = false;
  double bandwidth_bytes_per_s = 0;  ///< beside the other flows
  double latency_s = 0;
};

struct Routed {
  /// Of what a rank sends, of the slowest; infinity when nothing is sent.
  double bandwidth_bytes_per_s = 0;
  double latency_s = 0;               ///< of the longest hop
  std::string bottleneck;             ///< "node 1: NIC 0 to leaf 0", empty when nothing is sent
  std::int64_t hops_leaving_box = 0;  ///< flows between boxes
};

/// Every rank sends to the next of the list, the last to the first: a ring, a ring's shift.
/// Ranks are different and not negative.
std::vector<Hop> ring_hops(const Topology&, const std::vector<int>& ranks);
Routed ring(const Topology&, const std::vector<int>& ranks);

/// Every rank sends the same to every other; bandwidth of all a rank has, its own part included.
Routed all_to_all(const Topology&, const std::vector<int>& ranks);

}  // namespace ithaca
