// sim/timeline.h -- when each step ran on each rank: the result of time() and, measured, of run().
#pragma once

#include "models/program.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

/// Lane 0 computes; lane 1 + axis id carries the collectives whose minor axis that is; the last two copy to the host
/// and back.
using Lane = std::uint8_t;
constexpr Lane to_host_lane = 1 + max_axes, from_host_lane = to_host_lane + 1,
               lanes = from_host_lane + 1;
Lane lane_of(const Program&, const Step&);

struct Span {
  int rank;
  std::uint32_t step;
  Lane lane;
  double begin_s, end_s;
  double slowed_s = 0;  ///< of it: lost to transfers that ran beside it; of a prediction only
};

struct Timeline {
  std::vector<Span> spans;
  double end_s = 0;      ///< when the last rank is done
  double compute_s = 0;  ///< of kernels as fast as they run alone, the busiest rank's
  double comm_s = 0;     ///< busy time of collectives, the busiest rank's
  double exposed_comm_s =
      0;  ///< end_s less compute_s: what is waited for, and what kernels lose beside transfers
};

}  // namespace ithaca
