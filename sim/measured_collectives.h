// sim/measured_collectives.h -- collectives among ranks of one machine, as measured there.
//
// For clusters on which NCCL does not run.  A curve answers for its collective, its number of members and of nodes these
// are on; of several, the one that was measured with as many ranks at work, or the nearest number of them.
#pragma once

#include "models/wire.h"
#include "sim/nccl/calibration.h"

#include <map>
#include <optional>
#include <tuple>

namespace ithaca {

/// nccl-tests' name: "all_gather", "alltoall", "sendrecv".
const char* nccl_tests_name(Wire);

/// Ranks of a collective, the nodes they are on, and ranks at work on a node, in this group and beside it.
struct MeasuredGroup {
  std::int64_t members = 1, nodes = 1;
  int at_once = 1;
};

class MeasuredCollectives {
 public:
  explicit MeasuredCollectives(const std::vector<CollectiveTable>&);
  /// `bytes` as nccl-tests counts them (sim/nccl/tables.h).  Nothing when no such group was measured.
  std::optional<double> seconds(Wire, const MeasuredGroup&, double bytes) const;

 private:
  using Key = std::tuple<std::string, std::int64_t, std::int64_t>;  ///< collective, members, nodes
  std::map<Key, std::map<int, MeasuredCurve>> curves_;              ///< by ranks at work
};

}  // namespace ithaca
