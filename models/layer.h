// models/layer.h -- the transformer layer, written once, and its settling of weight gradients.
//
// Forward: x + attention(norm(x)), then r + mlp(norm(r)); the strategy's table says where each value lies and the
// backward is derived.  Everything that prices, plans or runs a layer reads this program.
#pragma once

#include "models/strategy.h"

#include <string>
#include <vector>

namespace ithaca {

struct LayerWeight {
  ValueId stored;  ///< as kept between steps
  ValueId
      grad;  ///< as the backward of one micro-batch leaves it; no_value in a forward-only program
};

struct Layer {
  Program program;
  ValueId x, y;
  ValueId dy, dx;  ///< no_value in a forward-only program
  std::vector<LayerWeight> weights;
};

struct LayerOptions {
  bool recompute = false;  ///< keep only x and compute the layer again in the backward
  bool backward = true;
  DType dtype = DType::bf16;
};

/// One layer on one micro-batch.  Throws TypeError when the strategy is impossible for the shape.
Layer layer_program(const LayerShape&, const Strategy&, const Mesh&, const LayerOptions& = {});

/// Once per optimizer step: every weight gradient moves from where micro-batches left it to where the weight is
/// kept.  Inputs and outputs are in the order of layer.weights.
Program settle_program(const Layer&);

/// The layer on one rank: no axis, no communication.
inline Layer one_rank(const LayerShape& shape, const LayerOptions& options = {}) {
  return layer_program(shape, {}, Mesh{}, options);
}

/// Weights of the layer, norms and biases included.
std::int64_t parameters(const Layer&);

}  // namespace ithaca
