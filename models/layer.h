// models/layer.h -- one transformer layer as a program, and its settling of weight gradients.
//
// Everything that prices, plans or runs a layer reads this program; a whole step has many (models/step.h).
#pragma once

#include "models/kernels.h"
#include "models/parameter.h"
#include "models/recompute.h"

#include <optional>
#include <string>
#include <vector>

namespace ithaca {

struct LayerOptions {
  Recompute recompute = {};
  bool backward = true;
  DType dtype = DType::bf16;   ///< of weights and activations
  std::int64_t mlp_tiles = 1;  ///< runs of tokens the MLP works through, computing each again
  std::optional<DType> gradient = {};   ///< in which weight gradients are kept, else as they come
  std::optional<DType> reduction = {};  ///< in which they are summed over ranks, else as they come
  bool unrolled = true;     ///< every tile written out; else the first, a steady one, the last
  bool accumulate = false;  ///< add to the gradients of micro-batches before
  GradientBuffers gradient_buffers = GradientBuffers::none;
  /// Above 0 only low-rank adapters are trained, one beside each matrix of a layer: y = x W + (x A) B with r columns
  /// in A (LoRA, arXiv 2106.09685, with alpha = r).
  std::int64_t adapter_rank = 0;
  bool gradients_on_host = false;  ///< those that need no further reduction go there as they come
  std::int64_t comm_chunks =
      1;                 ///< pieces of gathers and scatters around products (passes/chunk.h)
  Kernels kernels = {};  ///< what the implementation keeps
};

/// A layer and how it is laid out and worked through.
struct LayerPlan {
  const LayerShape& shape;
  const Strategy& strategy;
  const LayerOptions& options;
};

struct Layer {
  Program program;
  ValueId x, y;
  ValueId dy, dx;  ///< no_value in a forward-only program
  std::vector<Parameter> weights;
};

/// One layer on one micro-batch.  Throws TypeError when the strategy is impossible for the shape.
Layer layer_program(const LayerShape&, const Strategy&, const Mesh&, const LayerOptions& = {});

/// Attention alone, without projections: q, k and v lie as these leave them, the result as the output projection wants
/// it.  With a backward the cotangents of q, k and v are outputs too.
Program attention_program(const LayerShape&, const Strategy&, const Mesh&,
                          const LayerOptions& = {});

/// Once per optimizer step: every weight gradient moves from where micro-batches left it to where the optimizer
/// wants it.  Inputs and outputs are in the order of those layer.weights that are trained.
Program settle_program(const Layer&);

/// The layer on one rank: no axis, no communication.
inline Layer one_rank(const LayerShape& shape, const LayerOptions& options = {}) {
  return layer_program(shape, {}, Mesh{}, options);
}

/// Weights of the layer, norms and biases included.
std::int64_t parameters(const Layer&);

}  // namespace ithaca
