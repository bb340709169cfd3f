// sim/measured_collectives.h -- collectives among ranks of one machine, as measured there.
//
// For clusters on which NCCL does not run.  A curve answers for its collective and its number of members; of several, the
// one that was measured with as many ranks at work, or the nearest number of them.
#pragma once

#include "models/wire.h"
#include "sim/nccl/calibration.h"

#include <map>
#include <optional>
#include <utility>

namespace ithaca {

/// nccl-tests' name: "all_gather", "alltoall", "sendrecv".
const char* nccl_tests_name(Wire);

class MeasuredCollectives {
 public:
  explicit MeasuredCollectives(const std::vector<CollectiveTable>&);
  /// `bytes` as nccl-tests counts them (sim/nccl/tables.h).  `at_once`: ranks at work, in this group and beside it.
  /// Nothing when no such group was measured.
  std::optional<double> seconds(Wire, std::int64_t members, int at_once, double bytes) const;

 private:
  using Key = std::pair<std::string, std::int64_t>;     ///< collective, members
  std::map<Key, std::map<int, MeasuredCurve>> curves_;  ///< by ranks at work
};

}  // namespace ithaca
