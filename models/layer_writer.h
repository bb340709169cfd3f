// models/layer_writer.h -- writes a transformer layer into a program: the one description of the layer.
//
// Forward: x + attention(norm(x)), then r + mlp(norm(r)); the strategy's table says where each value lies and the
// backward is derived.
#pragma once

#include "models/layer.h"

namespace ithaca {

/// Makes the weights of a program and remembers them, named `prefix` and what they are.
class Weights {
 public:
  Weights(Builder& builder, const LayerOptions& options, std::vector<Parameter>& all)
      : b_(builder), dtype_(options.dtype), trains_(options.adapter_rank == 0), all_(all) {}

  /// What is made next is named `text` and its own name, and stands for `times` equal ones.
  void begin(std::string text, int layer = -1, std::int64_t times = 1) {
    prefix_ = std::move(text);
    layer_ = layer;
    times_ = times;
  }
  /// A matrix as it is used; at rest it may be a flat shard.
  ValueId matrix(const std::string& name, const Dims& dims, const WeightRow& row);
  /// A matrix that is trained even when only adapters are.
  ValueId adapter(const std::string& name, const Dims& dims, const WeightRow& row);
  /// A gain or bias: small, never sharded flat.
  ValueId row(const std::string& name, const Dims& dims, const WeightRow& row);

 private:
  ValueId keep(const std::string& name, const Type& stored, const WeightRow& row);

  Builder& b_;
  DType dtype_;
  bool trains_;
  std::vector<Parameter>& all_;
  std::string prefix_;
  int layer_ = -1;
  std::int64_t times_ = 1;
};

/// Appends the forward of a layer on `x`, which lies as the strategy's residual; returns y, which does too.
ValueId write_layer(Builder&, Weights&, ValueId x, const LayerPlan&);

/// Attention on q, k, v as the projections leave them: moved to where attention wants them, and its result to where
/// the output projection does.
ValueId write_attention(Builder&, const Ids& qkv, const LayerPlan&);

/// A run of a rank's tokens, and how many like it it stands for.
struct Tile {
  std::int64_t begin, count, times;
};
/// `tokens` in as many equal tiles, the last perhaps shorter: all of them, or the first, one for those between, the
/// last.
std::vector<Tile> tiles_of(std::int64_t tokens, std::int64_t tiles, bool unrolled);

/// Called when the gradient of `p` is complete: brings it to where micro-batches leave it and adds it to what was
/// there before.
ValueId finish_gradient(Builder&, Parameter& p, ValueId gradient, const LayerOptions&);

/// Axes of one rank lay nothing out: without them a strategy on one GPU is no strategy.
Strategy real(const Strategy&, const Mesh&);
/// Sizes are at least one, and what one rank would compute can be counted in 64 bits; TypeError otherwise.
void check_sizes(const LayerShape&, const Mesh&);

}  // namespace ithaca
