// sim/topology/beside.h -- what a group gets of the links while the groups beside it do the same.
//
// Loads of all groups of a box, or of a pod's uplinks, add up; each flow gets its share of a link:
// seconds per byte = max over the links a group uses of load / bandwidth.
#pragma once

#include "sim/topology/group_place.h"

#include <cstdint>

namespace ithaca {

/// Of what NCCL's rings take of their links, the part that is left when the groups beside have as many: at most 1.
double ring_share(const Topology&, const GroupPlace&, std::int64_t rings, double bytes_per_s);
/// The same of the NICs alone.
double leaving_share(const Topology&, const GroupPlace&, std::int64_t rings, double bytes_per_s);

/// Bandwidth of all that a rank has, its own part included; infinity where nothing goes that way.
struct ExchangeRate {
  double nvlink_bytes_per_s = 0, other_bytes_per_s = 0;
};
/// Every rank sends the same to every other of its group.
ExchangeRate exchange_rate(const Topology&, const GroupPlace&);

/// Of the slowest message inside a box, and of one between boxes; infinity where there is none.
struct ShiftRate {
  double inside_bytes_per_s = 0, leaving_bytes_per_s = 0;
};
/// Every rank of the mesh sends to the next along the axis, around its end: what the group of `rank` gets.
ShiftRate shift_rate(const Topology&, const Mesh&, Axis, int rank);

}  // namespace ithaca
