// tests/train/training.h -- small models that learn the project's licence, on one rank or many.
#pragma once

#include "models/catalog.h"
#include "tests/shapes.h"
#include "train/trainer.h"

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
};

inline StepShape step_shape(const Training& t, const LayerShape& shape, Mesh& mesh) {
  Strategy strategy;
  mesh = Mesh{};
  if (!t.strategy.empty()) {
    const Arrangement at = arrange(t.strategy, parse_mesh(t.mesh), shape);
    strategy = at.strategy;
    mesh = at.mesh;
  }
  return {{{shape, strategy, t.layers}}, t.vocabulary, t.tied};
}

/// Losses of `steps` steps of `samples` samples each, cut into micro-batches as the options say.
inline std::vector<TrainedStep> train(const Training& t, std::int64_t samples, int steps,
                                      LayerShape shape = tiny_shape(1)) {
  shape.b = samples / t.options.micro_batches;
  Mesh mesh;
  const StepShape step = step_shape(t, shape, mesh);
  TrainOptions options = t.options;
  options.step.vocabulary_multiple = 1;
  Trainer trainer(step, mesh, options);
  TextData data(std::string(ITHACA_SOURCE_DIR) + "/LICENSE", {shape.L, 7, t.ragged});
  std::vector<TrainedStep> done;
  std::int64_t next = 0;
  for (int i = 0; i < steps; ++i) {
    std::vector<Sample> batch;
    for (std::int64_t s = 0; s < samples; ++s) batch.push_back(data.sample(next++));
    done.push_back(trainer.step(batch));
    if (done.back().sent_bytes != trainer.predicted_sent_bytes()) done.back().sent_bytes = -1;
  }
  return done;
}

/// The largest relative difference of two loss curves.
inline double apart(const std::vector<TrainedStep>& a, const std::vector<TrainedStep>& b) {
  double most = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    most = std::max(most, std::abs(a[i].loss - b[i].loss) / std::abs(b[i].loss));
  return most;
}

}  // namespace ithaca
