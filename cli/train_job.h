// cli/train_job.h -- what `ithaca run --steps K` is asked for: flags, what they come to, and what fits.
#pragma once

#include "cli/run_json.h"
#include "train/trainer.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace ithaca {

/// As they were typed, see cli/options.h.
struct TrainFlags {
  std::string steps, data, micro_batches, learning_rate, clip, seed;
  std::string checkpoint, checkpoint_every, csv, plot;
  bool resume = false, verify = false;
};
void add_train_options(CLI::App&, TrainFlags&);
/// Throws InputError that names a flag of training given without --steps.
void check_not_training(const TrainFlags&);

struct TrainJob {
  TwinRun twin;
  std::int64_t layers = 1;
  std::int64_t steps = 0;  ///< from the beginning, also of a run that is resumed
  TrainOptions options;
  std::string data, checkpoint, csv, plot;  ///< empty: none
  std::int64_t checkpoint_every = 0;        ///< steps; 0: at the end only
  bool resume = false, verify = false;

  std::int64_t samples_per_step() const { return twin.shape.b * options.micro_batches; }
  const Mesh& mesh() const { return twin.arrangement.mesh; }
  StepShape shape() const;
  /// The same training without strategy and levers.
  TrainJob on_one_rank() const;
  /// What must be equal to go on from a checkpoint.  Strategy, mesh, recompute and micro-batches are free.
  nlohmann::json facts(const std::string& data_fingerprint) const;
};

/// Throws InputError.  `layers`: as typed, empty for all of the plan's.
TrainJob train_job(const TrainFlags&, TwinRun, const std::string& layers);

/// Host memory of the run at its peak, by the memory reading of its programs.
std::int64_t run_bytes(const TrainJob&);
/// Throws InputError with a hint when the run takes more than `most_bytes`; nothing is allocated before.
void check_memory(const TrainJob&, std::int64_t most_bytes);

}  // namespace ithaca
