// sim/topology/group_route.h -- what a collective's time model needs to know of where a group lies.
//
// Channels are NCCL's: as many rings of one speed of NCCL's list as the links of the boxes hold at once, each entering
// and leaving a box by a NIC; all boxes run as many as the worst.
#pragma once

#include "sim/topology/group_place.h"

#include <optional>
#include <span>

namespace ithaca {

struct GroupRoute {
  HopType intra = HopType::nvlink;  ///< the farthest hop inside a box
  std::optional<HopType> inter;     ///< the farthest from a GPU to its NICs, if boxes are several
  double pair_bytes_per_s =
      0;  ///< between the two ranks of a box that are joined worst; 0: all alone
  double nvswitch_bytes_per_s =
      0;  ///< of a GPU to the switch that joins all ranks of a box; 0: none does
  double nic_bytes_per_s = 0;  ///< of all NICs one rank reaches best, with its PCIe; 0 inside a box
  int nic_sets = 0;            ///< different NICs, those that serve one GPU taken as one
};

GroupRoute route(const Topology&, const GroupPlace&);

struct Channels {
  std::int64_t count = 0;
  double bandwidth_bytes_per_s = 0;  ///< of each
  double total_bytes_per_s() const { return static_cast<double>(count) * bandwidth_bytes_per_s; }
};

/// The ring channels of a group, in whatever order of GPUs suits each.
/// speeds: NCCL's list for the GPUs, inside a box or between boxes as the group needs, falling.
/// sm: compute capability times 10, as NCCL compares it.
/// Nothing fits: one channel as fast as a ring can be.  A group of one has none.
Channels ring_channels(const Topology&, const GroupPlace&,
                       std::span<const double> speeds_bytes_per_s, int sm);

}  // namespace ithaca
