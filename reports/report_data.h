// reports/report_data.h -- every number of a report, taken from the readings of the layer program.
//
// The report's text, its CSV files and its pictures show these values and compute none of their
// own.
#pragma once

#include "reports/best_map.h"
#include "reports/report_input.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

/// Sent by one rank in one layer, forward and backward, at one length.
struct VolumePoint {
  std::string strategy;
  std::int64_t seq = 0;
  SentBytes sent_bytes;
};

/// A published strategy on all GPUs of the job and its default mesh; or why it is impossible.
struct PublishedStrategy {
  std::string strategy, error;
  Mesh mesh;
  bool bf16_ring_gradients = false;  ///< gradients of keys and values walk a ring in bf16
};

/// Device memory of one rank at its peak, all layers.
struct MemoryBar {
  std::string strategy;
  Mesh mesh;
  bool recompute = false;
  int rank_in_plan = 0;  ///< 1 is the fastest; 0: not one of the ranking's first
  BytesByRole by_role{};
  Overheads overheads;
  std::int64_t peak_bytes() const;
};

/// Reasons that differ in their numbers only.
struct ReasonGroup {
  std::string reason;  ///< of the first choice
  std::size_t choices = 0;
};

/// All that is said of a plan's job.
struct PlanData {
  PlanFile file;
  PricedStrategy priced;  ///< the plan's own strategy
  Plan plan;              ///< the job planned again
  std::size_t rank = 0;   ///< of the plan's strategy in that ranking from 1; 0: not in it
  std::vector<PublishedStrategy> published;
  std::vector<VolumePoint> volume;
  std::vector<BestCell> best;
  std::vector<MemoryBar> memory;
  std::vector<ReasonGroup> infeasible;  ///< most frequent first
  std::vector<NamedSpan> timeline;      ///< one layer, forward and backward
  bool bf16_ring_gradients = false;     ///< in the plan's own strategy
};

/// Throws InputError when the plan's strategy is impossible for its shape.
PlanData plan_data(const PlanFile& plan, std::size_t map_candidates);

/// Predicted spans of the plan's layer, on the ranks that differ.
std::vector<NamedSpan> predicted_spans(const PlanFile&);

}  // namespace ithaca
