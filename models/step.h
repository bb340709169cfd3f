// models/step.h -- a whole micro-batch of a model as one program: embedding, layers, cross entropy, and back.
//
// The ends are token-wise products like the MLP: they lie as its table says or have one of their own, the vocabulary
// cut where the intermediate dimension is.  The loss is the sum over valid tokens; its cotangent `dloss` is given from
// outside, one over the valid tokens of the whole step, so that every reduction is a sum.  The head is differentiated as
// it goes, tile by tile: logits of one tile are all that ever live (as fused linear cross entropy does).
// Equal layers are written three times, the second standing for all but the first and the last, unless the program
// is to run.
#pragma once

#include "models/layer.h"

#include <cstdint>
#include <vector>

namespace ithaca {

/// Equal layers in a row.
struct LayerRun {
  LayerShape shape;
  Strategy strategy;
  std::int64_t times = 1;
};

/// Which ends of the network a program has: a stage of a pipeline lacks the first, the last or both.
enum class Ends : std::uint8_t { both, first, last, none };

struct StepShape {
  std::vector<LayerRun> runs;   ///< b and L the same in all
  std::int64_t vocabulary = 0;  ///< 0: layers only, x and dy given from outside
  bool tied = false;  ///< one table embeds tokens and makes logits; a copy where only one end is
  Ends ends = Ends::both;
  /// Another stage gives x and wants its cotangent.
  bool follows() const { return ends == Ends::last || ends == Ends::none; }
  /// Another stage takes y and gives its cotangent.
  bool precedes() const { return ends == Ends::first || ends == Ends::none; }
  bool embeds() const { return vocabulary > 0 && !follows(); }
  bool scores() const { return vocabulary > 0 && !precedes(); }
};

struct StepOptions {
  LayerOptions layer;
  std::int64_t loss_tiles = 1;  ///< runs of tokens the head works through
  bool offload = false;         ///< inputs of recomputed layers wait in host memory
  bool weights_on_host =
      false;  ///< matrices lie there and come before forward and backward use them
  std::int64_t bucket_elements =
      0;                  ///< most elements of messages that travel as one; 0: each alone
  bool unrolled = false;  ///< every layer written out: to run it
  /// A cut table is padded so that every rank's part is a multiple of this (Megatron-LM's
  /// make-vocab-size-divisible-by).
  std::int64_t vocabulary_multiple = 128;
};

struct MicroBatch {
  Program program;
  ValueId tokens = no_value,
          labels = no_value;  ///< i64 [b L]; labels outside the vocabulary do not count
  ValueId loss = no_value;    ///< sum over valid tokens, on every rank
  ValueId dloss = no_value;   ///< no_value in a forward-only program
  /// The residual stream where it comes in and goes out, given and taken outside; no_value at an end of the network.
  ValueId x = no_value, y = no_value;
  ValueId dy = no_value,
          dx = no_value;  ///< their cotangents, given and returned; dx to another stage only
  std::vector<Parameter> parameters;
  std::vector<ValueId> layer_inputs;  ///< the residual stream where each layer begins
};

/// Throws TypeError when a strategy is impossible for the shape.
MicroBatch micro_batch(const StepShape&, const Mesh&, const StepOptions& = {});

}  // namespace ithaca
