// planner/plan.h -- the best uniform choice under the memory limit, the ranking, and why others
// fell out.
#pragma once

#include "planner/price.h"
#include "planner/space.h"

#include <optional>
#include <string>
#include <vector>

namespace ithaca {

struct Ranked {
  Choice choice;
  double step_s = 0, compute_s = 0, exposed_comm_s = 0;
  std::int64_t peak_bytes = 0;  ///< overheads included
  std::int64_t sent_bytes = 0;  ///< one layer, forward and backward
};

struct Infeasible {
  Choice choice;
  std::string reason;
  std::optional<std::int64_t> peak_bytes;  ///< set when it is memory of the GPU that does not fit
  std::optional<std::int64_t> host_bytes;  ///< of a node; set when only that of the host does not
};

struct Plan {
  std::vector<Ranked> ranking;  ///< fastest first; ties by memory, then by bytes sent
  std::vector<Infeasible> infeasible;
  std::size_t candidates = 0;
  double wall_s = 0;  ///< how long planning took
};

/// Prices every choice.  The ranking is empty when nothing fits.
Plan plan(const Job&);

/// Why the best beats another choice, in milliseconds and bytes: one sentence.
std::string explain(const Ranked& best, const Ranked& other);

}  // namespace ithaca
