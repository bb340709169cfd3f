// reports/published_setup.h -- a published row as a job of ours: what was run, in our terms, or why we cannot say it.
//
// One function per implementation reads its rows (published_setups.h); each assumption beyond the row stands there with
// its source.  Nothing is read from the figures that are to be predicted.
#pragma once

#include "planner/price.h"
#include "reports/published_rows.h"
#include "sim/allocator.h"

#include <string>
#include <variant>

namespace ithaca {

struct PublishedSetup {
  Job job;
  std::string strategy;
  Mesh mesh;  ///< in the axes of the strategy
  Recompute recompute = {};
  /// The published peak counts tensors alone (torch's max_memory_allocated), else what the driver reports.
  bool allocated_peak = false;
  /// Lengths were doubled until one failed: the longest is the largest power of two that fits.
  bool doubling = false;
  AllocatorPolicy allocator = {};  ///< without its capacity
  std::string reading;             ///< what the row leaves open and how it was taken; may be empty
};

/// Why a row cannot be predicted.
struct Unmodelled {
  std::string reason;
};

std::variant<PublishedSetup, Unmodelled> setup_of(const PublishedRow&);

}  // namespace ithaca
