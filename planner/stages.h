// planner/stages.h -- programs, memory and traffic of the stages of a pipeline.
//
// Chunks of the model that are alike are written once: the first, those in between, the last.
#pragma once

#include "planner/price.h"

#include <array>
#include <vector>

namespace ithaca {

/// A chunk of layers, with an end of the network or without.
struct Piece {
  StepPrograms programs;
  StepMemory memory;
};

/// What a rank of a stage holds at its fullest moment.
struct Load {
  int stage = 0;
  StepMemory memory;
};

class Stages {
 public:
  /// The job outlives them.  Throws as pipeline_need() does.
  Stages(const Job&, const Arrangement&, const Recompute&);

  const PipelineShape& shape() const { return n_; }
  /// Chunk c of stage s is piece c p + s of p stages.
  const Piece& piece(int stage, int chunk) const { return piece(chunk * n_.stages + stage); }
  const Piece& piece(int number) const {
    return pieces_[number == 0 ? 0 : number == n_.pieces() - 1 ? 2 : 1];
  }

  /// The residual stream of a micro-batch, from a rank to one of the next stage.
  std::int64_t hop_bytes() const;
  /// Traffic of all micro-batches and the update, what goes to other stages included.
  Count count_of(int stage) const;
  Load load(int stage) const;
  std::vector<Load> loads() const;
  Need need(const Load&) const;

 private:
  void add_hop(Count&, const MicroBatch&, ValueId, Phase) const;

  const Job& job_;
  PipelineShape n_;
  std::array<Piece, 3> pieces_;
};

}  // namespace ithaca
