// cli/run_json.h -- a verified run, predicted beside measured, as run.json and for people.
#pragma once

#include "planner/plan_file.h"
#include "reports/json.h"
#include "runtime/verify.h"

#include <optional>
#include <string>
#include <vector>

namespace ithaca {

/// What was run and what came out, layer by layer.
struct TwinRun {
  PlanFile plan;
  LayerShape shape;  ///< as run, maybe scaled
  Arrangement arrangement;
  DType dtype = DType::f64;
  std::int64_t scale = 1;
  std::vector<Verification> layers;
  std::optional<Cluster> cluster;  ///< this machine as calibrated; none: no time is predicted

  /// Largest max|a - b| / max|b| of a tensor that still counts as the same: f64 1e-10, f32 1e-4.
  double tolerance() const { return dtype == DType::f64 ? 1e-10 : 1e-4; }
  double max_relative_error() const;
  double max_replica_difference() const;
  bool bytes_match() const;
  bool verified() const;
  LayerOptions options() const;  ///< of the layer, its bytes those of `dtype`
  Layer layer() const {
    return layer_program(shape, arrangement.strategy, arrangement.mesh, options());
  }
  /// Of the layers one after another, each from its first step to its last: the middle of what was measured.
  double median_layer_s() const;
};

/// A layer as the calibrated machine should run it.  The run has a cluster.
Timeline predicted_layer(const TwinRun&);

Json plan_json(const PlanFile&);
Json run_json(const TwinRun&);
std::string run_text(const TwinRun&);
/// Why the run is not verified, in one line.
std::string why_unverified(const TwinRun&);

}  // namespace ithaca
