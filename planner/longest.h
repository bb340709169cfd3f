// planner/longest.h -- the longest sequence that fits, and what stands in the way of a longer one.
#pragma once

#include "planner/price.h"

#include <cstdint>
#include <string>

namespace ithaca {

struct Longest {
  std::int64_t tokens =
      0;  ///< of a sample; 0: not even the shortest length the strategy takes fits
  std::int64_t granularity = 1;  ///< lengths are multiples of this: what the strategy divides by
  std::string
      limited_by;  ///< "gpu" or "host"; "length" when the most tokens asked about fit, or none longer are taken
  std::string
      term;  ///< what most of that memory is: "saved", "host copies", ...; why a longer one is not taken
  PricedStrategy priced;  ///< at the longest length, or at the shortest when none fits
};

/// Bisection over exact memory, GPU and host, up to `most` tokens.  `job.shape.L` is of no matter.  Throws InputError
/// when the strategy is impossible at every length.
Longest longest(Job job, const std::string& strategy, const Mesh& mesh, const Recompute&,
                std::int64_t most = std::int64_t{1} << 30);

}  // namespace ithaca
