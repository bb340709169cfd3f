// sim/topology/group_route.h -- what a collective's time model needs to know of where a group lies.
//
// Channels are NCCL's: as many rings of one speed of NCCL's list as the links of the boxes hold at
// once, each entering and leaving a box by a NIC (src/graph/search.cc of NCCL 2.28.9; the search
// here takes GPUs in the order of the widest next hop, and does not know the fabric, as NCCL).
#pragma once

#include "sim/topology/flows.h"

#include <optional>
#include <span>

namespace ithaca {

struct GroupRoute {
  std::int64_t ranks = 0;
  std::int64_t boxes = 0;           ///< N: nodes, or NVLink islands of several nodes
  std::int64_t ranks_per_box = 0;   ///< p, of the box with most
  Routed ring;                      ///< of one ring in the order of the ranks
  HopType intra = HopType::nvlink;  ///< the farthest hop inside a box
  std::optional<HopType> inter;     ///< between a NIC and its nearest GPU, if boxes are several
  double nic_bytes_per_s = 0;  ///< of all NICs one rank reaches best, with its PCIe; 0 inside a box
};

/// Ranks are different and not negative.
GroupRoute route(const Topology&, const std::vector<int>& ranks);

struct Channels {
  std::int64_t count = 0;
  double bandwidth_bytes_per_s = 0;  ///< of each
  double total_bytes_per_s() const { return static_cast<double>(count) * bandwidth_bytes_per_s; }
};

/// The ring channels of a group, in whatever order of GPUs suits each.
/// speeds: NCCL's list for the GPUs, inside a box or between boxes as the group needs, falling.
/// sm: compute capability times 10, as NCCL compares it.
/// Nothing fits: one channel of 0.1 GB/s, as NCCL.  A group of one has none.
Channels ring_channels(const Topology&, const std::vector<int>& ranks,
                       std::span<const double> speeds_bytes_per_s, int sm);

}  // namespace ithaca
