// cli/loss_csv.h -- loss.csv: one row for every step of a training, whole whenever it is on disk.
//
//     step,loss,valid_tokens,gradient_norm,seconds,tokens_per_s,sent_bytes
//
// Losses have the 17 digits that give back every bit; the norm is empty when gradients are not clipped.
#pragma once

#include "train/trainer.h"

#include <cstdint>
#include <string>

namespace ithaca {

class LossCsv {
 public:
  /// A file that goes on after `steps_done` steps: rows up to there are kept, later ones dropped; a file that is not
  /// there begins.  An empty path: nowhere.  Nothing is written yet.  Throws InputError when its rows do not lead up to
  /// that step.
  LossCsv(std::string path, std::int64_t steps_done);

  void add(std::int64_t step, const TrainedStep&, double seconds, bool clipped);
  /// Throws EnvironmentError when it cannot be written.
  void write() const;

 private:
  std::string path_, text_;
};

}  // namespace ithaca
