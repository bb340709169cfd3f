// tests/train/training.h -- small models that learn the project's licence, on one rank or many.
#pragma once

#include "models/catalog.h"
#include "models/profile.h"
#include "sim/count.h"
#include "tests/shapes.h"
#include "train/trainer.h"

#include <cmath>
#include <string>
#include <vector>

namespace ithaca {

/// Two layers of eight heads that fit every case of tests/shapes.h.
inline LayerShape tiny_shape(std::int64_t batch) {
  LayerShape shape = shape_of(32, 24, {8, 2, 2}, 32);
  shape.b = batch;
  return shape;
}

struct Training {
  std::string strategy, mesh;  ///< empty: one rank
  TrainOptions options = {};
  bool tied = false, ragged = true;
  std::int64_t layers = 2, vocabulary = 256;
  std::string_view profile = "reference";
};

using Batches = std::vector<std::vector<Sample>>;  ///< the samples of each optimizer step

/// The licence in pieces of `seq` tokens.
inline Batches licence(std::int64_t samples, int steps, std::int64_t seq, bool ragged = true) {
  TextData data(std::string(ITHACA_SOURCE_DIR) + "/LICENSE", {seq, 7, ragged});
  Batches batches(static_cast<std::size_t>(steps));
  std::int64_t next = 0;
  for (std::vector<Sample>& batch : batches)
    for (std::int64_t s = 0; s < samples; ++s) batch.push_back(data.sample(next++));
  return batches;
}

/// The shape's b is that of one micro-batch.
inline Trainer trainer_of(const Training& t, const LayerShape& shape) {
  Arrangement at;
  if (!t.strategy.empty()) at = arrange(t.strategy, parse_mesh(t.mesh), shape);
  const Strategy strategy = with_profile(at.strategy, find_profile(t.profile));
  return {{{{shape, strategy, t.layers}}, t.vocabulary, t.tied}, at.mesh, t.options};
}

/// What an optimizer step must send, copy to the host and back, and hold at most.
struct Priced {
  std::int64_t sent_bytes, to_host_bytes, from_host_bytes, peak_live_bytes, peak_host_bytes;
  bool operator==(const Priced&) const = default;
};

inline Priced priced(const Trainer& trainer, std::int64_t micro_batches) {
  const Program &micro = trainer.micro().program, &update = trainer.updates().program;
  const Count a = count(micro), b = count(update);
  const MemoryPlan x = memory(micro), y = memory(update);
  return {trainer.predicted_sent_bytes(), micro_batches * a.to_host_bytes + b.to_host_bytes,
          micro_batches * a.from_host_bytes + b.from_host_bytes,
          std::max(x.peak_bytes, y.peak_bytes), std::max(x.host_peak_bytes, y.host_peak_bytes)};
}

/// What each optimizer step does; sent_bytes -1 when anything it does is not as priced.
inline std::vector<TrainedStep> train(Trainer trainer, const Batches& batches,
                                      std::int64_t micro_batches = 1) {
  const Priced expected = priced(trainer, micro_batches);
  std::vector<TrainedStep> done;
  for (const std::vector<Sample>& batch : batches) {
    done.push_back(trainer.step(batch));
    TrainedStep& d = done.back();
    const Priced did{d.sent_bytes, d.to_host_bytes, d.from_host_bytes, d.peak_live_bytes,
                     d.peak_host_bytes};
    if (did != expected) d.sent_bytes = -1;
  }
  return done;
}

inline std::vector<TrainedStep> train(const Training& t, const Batches& batches,
                                      LayerShape shape = tiny_shape(1)) {
  shape.b = std::ssize(batches.front()) / t.options.micro_batches;
  return train(trainer_of(t, shape), batches, t.options.micro_batches);
}

/// Losses of `steps` steps of `samples` samples each, cut into micro-batches as the options say.
inline std::vector<TrainedStep> train(const Training& t, std::int64_t samples, int steps,
                                      const LayerShape& shape = tiny_shape(1)) {
  return train(t, licence(samples, steps, shape.L, t.ragged), shape);
}

/// The largest relative difference of two loss curves, as far as the shorter goes.
inline double apart(const std::vector<TrainedStep>& a, const std::vector<TrainedStep>& b) {
  double most = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double off = std::abs(a[i].loss - b[i].loss) / std::abs(b[i].loss);
    most = std::isnan(off) || off > most ? off : most;
  }
  return most;
}

}  // namespace ithaca
