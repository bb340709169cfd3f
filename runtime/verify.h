// runtime/verify.h -- runs a sharded layer beside the same layer on one rank and compares
// everything.
//
// Inputs are the same numbers in both: every element of a tensor is a function of the tensor's name
// and its index, so that a rank can make its slice without the whole.  Compared are y, dx and the
// gradient of every weight, bytes sent with count(), bytes held with memory().
#pragma once

#include "runtime/host_tensor.h"
#include "runtime/run.h"
#include "sim/count.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ithaca {

struct VerifyOptions {
  DType dtype = DType::f64;
  Recompute recompute = {};
  double patience_s = 300;  ///< how long a rank waits for another
  Kernels kernels = {};     ///< of the sharded layer and of one rank's
  std::int64_t mlp_tiles = 1, comm_chunks = 1;
};

/// One tensor of the sharded run beside one rank's.
struct Comparison {
  std::string name;
  double max_relative_error;  ///< max |a - b| / max |b|
  double replica_difference;  ///< max |a - a'| / max |a| among ranks that hold copies
};

/// Calls of one collective on one tensor in one phase: an Event of count() and what ranks sent.
struct SentComparison {
  Event predicted;
  std::int64_t measured_bytes;  ///< by the rank that is farthest from the prediction
};

struct LiveComparison {
  std::string program;                           ///< "layer", "update"
  std::int64_t predicted_bytes, measured_bytes;  ///< the measured of the rank that is farthest
};

struct Verification {
  std::vector<Comparison> tensors;   ///< y, dx, then weight gradients in the order of the layer
  std::vector<SentComparison> sent;  ///< of the layer, then of the update
  std::vector<LiveComparison> live;
  Timeline timeline;  ///< of the layer on all ranks, from the first rank's start
  std::vector<std::vector<std::int64_t>> sent_bytes_to;  ///< by rank and peer, layer and update
  double one_rank_s = 0;                                 ///< wall time of the layer on one rank

  double max_relative_error() const;
  double max_replica_difference() const;
  /// Whether every byte is as predicted.
  bool bytes_match() const;
};

/// Runs on mesh.ranks() threads of the CPU.  Throws TypeError for an impossible strategy and
/// EnvironmentError when a rank cannot go on.
Verification verify_layer(const LayerShape&, const Strategy&, const Mesh&,
                          const VerifyOptions& = {});

}  // namespace ithaca
