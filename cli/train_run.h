// cli/train_run.h -- training for real: data, steps, loss.csv, checkpoints; predicted beside measured.
#pragma once

#include "cli/console.h"
#include "cli/train_job.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ithaca {

/// What came out.
struct TrainRun {
  TrainJob job;
  std::string data_fingerprint;
  std::int64_t resumed_from = 0;   ///< steps of the checkpoint, 0 for none
  std::vector<TrainedStep> steps;  ///< those of this run
  std::vector<double> seconds;     ///< by step
  std::optional<double>
      final_loss;          ///< also when the checkpoint left nothing to do; unless it was no number
  std::string checkpoint;  ///< the last one written or read; empty: none
  std::int64_t predicted_sent_bytes = 0, predicted_live_bytes = 0;
  std::optional<double> apart;  ///< largest relative difference to losses of one rank

  /// Largest difference that still counts as the same: f64 1e-9, f32 1e-4.
  double tolerance() const { return job.options.dtype == DType::f64 ? 1e-9 : 1e-4; }
  /// Of the first step that differs from the prediction, else the prediction; nothing without steps.
  std::optional<std::int64_t> measured_sent_bytes() const;
  std::optional<std::int64_t> measured_live_bytes() const;
  bool bytes_match() const;
  bool verified() const;
  double tokens_per_s() const;  ///< of this run; 0 without steps
};

/// Trains up to job.steps and writes what the job names.  Throws InputError before anything is written,
/// EnvironmentError when a file cannot be written or a rank cannot go on.
TrainRun train(const TrainJob&, Console&);

Json train_json(const TrainRun&);
std::string train_text(const TrainRun&);
/// Why the run is not verified, in one line.
std::string why_unverified(const TrainRun&);

}  // namespace ithaca
