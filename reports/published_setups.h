// reports/published_setups.h -- how the rows of each implementation are read; see reports/published_setup.h.
//
// Each function gets a setup with shape, cluster and micro-batches filled in and completes it.  Throws CannotModel.
#pragma once

#include "reports/published_setup.h"

#include <string>
#include <string_view>

namespace ithaca {

/// What is in the way of a prediction; caught in setup_of.
struct CannotModel {
  std::string reason;
};

bool says(std::string_view text, std::string_view word);

/// Degrees and how weights are kept over data and sequence ranks: "zero3", "zero1", ...
struct SplitDegrees {
  int dp = 1, ring = 1, ulysses = 1, tp = 1;
  int state_ranks = 0;  ///< of dp, which share optimizer states; 0: all
  std::string_view data_keep = "zero3", sequence_keep = "zero3";
  bool sequence_parallel = true;         ///< TP-SP rather than TP
  std::string_view ring_table = "ring";  ///< or "ring_homing", "kv_gather"
  int outer_ring = 1;  ///< of `ring`, the outer ranks of a double ring; 1: one ring
};
/// Expression and mesh of the degrees, and samples of all data ranks.  CannotModel unless they make up the row's GPUs.
void take_degrees(PublishedSetup&, const PublishedRow&, const SplitDegrees&);
/// "none" and "full"; CannotModel for others.  `unlabelled` when the row says nothing.
Recompute recompute_of(const PublishedRow&, bool unlabelled);

void read_odysseus(PublishedSetup&, const PublishedRow&);
void read_alst(PublishedSetup&, const PublishedRow&);
void read_megatron_deepspeed(PublishedSetup&, const PublishedRow&);
void read_megatron(PublishedSetup&, const PublishedRow&);
void read_kwai(PublishedSetup&, const PublishedRow&);
void read_burst_engine(PublishedSetup&, const PublishedRow&);
void read_internevo(PublishedSetup&, const PublishedRow&);
void read_composer(PublishedSetup&, const PublishedRow&);
void read_yunchang(PublishedSetup&, const PublishedRow&);

}  // namespace ithaca
