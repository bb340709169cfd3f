// models/model_yaml.h -- a model from a YAML file of the preset form.
//
// Required: name, source, model_type, layers, hidden, intermediate, heads, kv_heads, head_dim,
// vocabulary, tied_embeddings, activation (swiglu, geglu, gelu), norm (rms, layer), positions
// (rope, learned), max_position_embeddings; rope_theta with rope.  All other keys of
// models/model_yaml.cpp are optional.
#pragma once

#include "models/model_spec.h"

#include <string>

namespace ithaca {

/// Throws InputError with the place of the first fault; `parameters` in the file must equal what
/// the sizes give.
ModelSpec read_model_yaml(const std::string& path);

/// Largest sizes accepted, an order of magnitude above any published model, so that no count
/// overflows 63 bits.
struct SizeLimits {
  static constexpr std::int64_t hidden = 1 << 17, intermediate = 1 << 19, layers = 1 << 12;
  static constexpr std::int64_t heads = 1 << 12, head_dim = 1 << 12, experts = 1 << 12;
  static constexpr std::int64_t vocabulary = 1 << 24, positions = 1 << 30;
  static constexpr std::int64_t elements = std::int64_t{1} << 40;  ///< of one message
  static constexpr std::int64_t comm_chunks = 64;                  ///< each is a launch
};

}  // namespace ithaca
