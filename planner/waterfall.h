// planner/waterfall.h -- what each lever does to the peak of device memory, alone and on top of those before it.
#pragma once

#include "planner/price.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

struct LeverEffect {
  std::string lever;             ///< "recompute full", "loss tiles", ...; the first row is "none"
  std::int64_t alone_bytes = 0;  ///< peak with this lever only, overheads included
  std::int64_t together_bytes = 0;  ///< peak with this lever and all before it
};

/// The levers of `job` and its recomputation are of no matter: all are tried.  A lever that needs another (a
/// checkpoint on the host needs full recomputation) has it when it is alone.
std::vector<LeverEffect> waterfall(const Job& job, const std::string& strategy, const Mesh& mesh);

}  // namespace ithaca
