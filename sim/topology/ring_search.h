// sim/topology/ring_search.h -- the rings that the links of one box hold at once, as NCCL looks for them.
//
// Every ring takes its speed of each link it uses.  One that leaves the box comes in by the NICs of one GPU and goes out
// by those of another; NICs equally near to a GPU are one to it.  src/graph/search.cc of NCCL 2.28.9; the search here takes
// GPUs in the order of the widest next hop, and knows no fabric, as NCCL.
#pragma once

#include "sim/topology/topology.h"

#include <cstdint>
#include <vector>

namespace ithaca {

/// What a ring takes of links inside the box, and of those on its way to and from the NICs.
struct RingSpeed {
  double inside_bytes_per_s = 0, leaving_bytes_per_s = 0;
};

struct Rings {
  std::int64_t count = 0;
  std::vector<double> taken_bytes_per_s;  ///< by arc
};

/// At most `most` rings through these GPUs of a box, in any order; one GPU alone must leave.
Rings rings_through(const Topology&, const std::vector<int>& members, bool leave, const RingSpeed&,
                    std::int64_t most);
/// As many as the NICs of these GPUs let in and out, whatever lies between.
Rings rings_leaving(const Topology&, const std::vector<int>& members, double bytes_per_s,
                    std::int64_t most);

}  // namespace ithaca
