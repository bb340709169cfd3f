// train/trainer.h -- training on the ranks of this process: micro-batches, one update, the next step.
//
// Every rank runs the very programs that are priced: the whole micro-batch written out, then the update.  Weights
// begin as functions of the seed, their name and the index of an element, samples come in the order of train/text_data:
// strategies, degrees and micro-batches change neither.
#pragma once

#include "models/step.h"
#include "models/update.h"
#include "runtime/run.h"
#include "train/checkpoint.h"
#include "train/text_data.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ithaca {

struct TrainOptions {
  StepOptions step = {};
  UpdateOptions update = {};
  DType dtype = DType::f64;        ///< of the run: f64 or f32
  std::int64_t micro_batches = 1;  ///< of one optimizer step
  std::uint64_t seed = 0;          ///< of the weights
  double patience_s = 300;         ///< how long a rank waits for another
};

struct TrainedStep {
  double loss = 0;  ///< mean over the valid tokens of the step, before the update
  std::int64_t valid_tokens = 0;
  double gradient_norm = 0;     ///< before clipping; 0 without clipping
  std::int64_t sent_bytes = 0;  ///< by the rank that sent most, micro-batches and update
  std::int64_t peak_live_bytes = 0, peak_host_bytes = 0;  ///< of programs, the rank with most
  std::int64_t to_host_bytes = 0, from_host_bytes = 0;    ///< of rank 0
};

/// What a step runs: every micro-batch the one program, then the other.
struct TrainingPrograms {
  MicroBatch micro;
  Update update;
};
/// Throws TypeError when the strategy is impossible for the shape.
TrainingPrograms training_programs(const StepShape&, const Mesh&, const TrainOptions&);

class Trainer {
 public:
  /// Throws TypeError when the strategy is impossible for the shape.
  Trainer(const StepShape&, const Mesh&, const TrainOptions&);
  /// The same with programs that were made before.
  Trainer(const StepShape&, TrainingPrograms, const TrainOptions&);

  /// Samples of one optimizer step, in order.
  std::int64_t samples_per_step() const;
  /// One optimizer step; throws EnvironmentError when a rank cannot go on.
  TrainedStep step(std::span<const Sample> samples);
  std::int64_t steps_done() const { return steps_done_; }

  /// What every step sends by count(): the rank's bytes of all micro-batches and the update.
  std::int64_t predicted_sent_bytes() const;
  const MicroBatch& micro() const { return micro_; }
  const Update& updates() const { return update_; }

  /// The state as a checkpoint keeps it, and back.
  void save(const std::string& path, const nlohmann::json& facts) const;
  /// Facts of the checkpoint; `must_match` are those that have to be equal.
  nlohmann::json load(const std::string& path, const nlohmann::json& must_match);

 private:
  using Bytes = std::vector<std::byte>;
  /// What one rank keeps of a parameter between steps.
  struct Kept {
    Bytes stored, master, m, v, gradient;
  };
  struct RankState {
    std::vector<Kept> parameters;
    double loss = 0, squared_norm = 0;
    TrainedStep counts;
  };

  void initialize();
  void micro_batch(int rank, Communicator&, std::span<const Sample> samples, double dloss);
  void update(int rank, Communicator&);
  Bytes ids(ValueId input, int rank, std::span<const Sample> samples) const;
  Bytes scalar(double value) const;
  Bytes slice(ValueId input, int rank, std::span<const Sample> samples, double dloss) const;
  template <class Visit>
  void for_each_state(const Visit&) const;

  StepShape shape_;
  TrainOptions o_;
  MicroBatch micro_;
  Update update_;
  Runnable micro_runs_, update_runs_;
  std::vector<RankState> ranks_;
  std::int64_t steps_done_ = 0;
};

}  // namespace ithaca
