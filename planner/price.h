// planner/price.h -- everything the model says of one strategy for one job.
#pragma once

#include "models/catalog.h"
#include "models/model_spec.h"
#include "sim/memory.h"
#include "sim/overheads.h"
#include "sim/time.h"

#include <string>

namespace ithaca {

/// What is to be trained and on what: `layers` equal layers, one micro-batch.
struct Job {
  std::string model;  ///< a name for people; the shape is what counts
  LayerShape shape;   ///< with b samples of L tokens
  std::int64_t layers = 1;
  Cluster cluster;
  int gpus = 1;
  bool overlap = true;  ///< schedule: overlapped, else blocking
};

struct PricedStrategy {
  Arrangement arrangement;
  bool recompute = false;
  Count count;         ///< one layer, rank 0
  Count update;        ///< of its weight gradients, once a step
  ModelMemory memory;  ///< all layers
  Overheads overheads;
  StepTime time;  ///< all layers
  std::int64_t peak_bytes() const { return memory.peak_bytes + overheads.bytes(); }
};

/// Throws InputError when the strategy is impossible.  `mesh` in the axes of the expression.
PricedStrategy price(const Job&, const std::string& strategy, const Mesh& mesh, bool recompute);

/// The layer a price speaks of.
Layer layer_of(const Job&, const Arrangement&, bool recompute);

}  // namespace ithaca
