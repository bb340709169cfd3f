// models/model_spec.h -- what a decoder-only transformer is: sizes and kinds of its layers and
// ends.
//
// Read from a preset (models/presets/*.yaml), a YAML file of the same form, or a Hugging Face
// config.json (models/hf_config.h).  MoE and MLA models load and count their parameters; their
// layers cannot be priced yet.
#pragma once

#include "models/layer_shape.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

/// Mixture of experts; count 0 means a dense model.
struct Experts {
  std::int64_t count = 0;                ///< routed experts of a layer
  std::int64_t active = 0;               ///< routed experts a token visits
  std::int64_t intermediate = 0;         ///< width of one routed expert
  std::int64_t shared_intermediate = 0;  ///< summed width of the shared experts
  std::int64_t dense_layers = 0;         ///< layers with a plain MLP of width LayerShape::i instead
  bool bias = false;                     ///< on the router and on every expert (gpt-oss)
  bool correction_bias = false;          ///< one score correction per expert (DeepSeek-V3)
  bool shared_gate = false;  ///< the shared expert is scaled by a learned gate (qwen2_moe)
};

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434 section 2.1); kv_rank 0 means plain
/// attention.
struct LatentAttention {
  std::int64_t q_rank = 0;  ///< 0: queries are projected directly
  std::int64_t kv_rank = 0;
  std::int64_t nope_dim = 0, rope_dim = 0, v_dim = 0;  ///< per head
};

/// Stretching of the rotary frequencies; changes their values, never a size or a cost.
struct RopeScaling {
  std::string type;  ///< llama3, yarn, linear, longrope, ...; empty: none
  double factor = 1;
  std::int64_t original_max_position_embeddings = 0;
};

struct ModelSpec {
  std::string name, hf_id, model_type;
  std::string source;   ///< where the facts come from
  std::string nominal;  ///< published size in words, when no exact count is published
  std::int64_t published_parameters = 0;         ///< 0: unknown; equals parameters() whenever given
  std::int64_t published_active_parameters = 0;  ///< 0: unknown or dense

  LayerShape layer;  ///< b and L are left to layer_shape()
  std::int64_t layers = 0, vocabulary = 0, max_position_embeddings = 0;
  bool tied_embeddings = false;    ///< the LM head is the embedding table
  bool learned_positions = false;  ///< a table [max_position_embeddings, d]

  std::int64_t sliding_window = 0, sliding_layers = 0;  ///< tokens; layers that use it
  std::int64_t no_rope_layer_interval = 0;  ///< every n-th layer has no rotary positions; 0: none
  double partial_rotary_factor = 1;         ///< share of the head dimension that is rotated
  double rope_local_theta = 0;              ///< base for the sliding layers when it differs
  double attention_softcap = 0, logit_softcap = 0;  ///< tanh cap; 0: none
  double query_pre_attn_scalar = 0;  ///< scores are scaled by its inverse root; 0: head dimension
  bool attention_sinks = false;      ///< one learned logit per query head
  std::int64_t mtp_layers = 0;       ///< multi-token prediction modules, never counted here
  RopeScaling rope_scaling;
  Experts experts;
  LatentAttention latent;
};

/// A preset name, a path to a YAML file of the preset form, or a path to a config.json.
/// InputError when it is unknown (with the nearest preset) or the file is wrong in any way.
ModelSpec load_model(const std::string& name_or_path);

/// The presets, sorted.
std::vector<std::string> model_names();

/// Trainable parameters of the whole model: tied tables once, without multi-token prediction
/// modules and without buffers such as rotary frequencies; DeepSeek-V3's score corrections are
/// included.
std::int64_t parameters(const ModelSpec& model);

/// Parameters one token passes: the active experts only, embedding table included.  Dense:
/// parameters().
std::int64_t active_parameters(const ModelSpec& model);

/// One layer on b samples of L tokens.  InputError for MoE and MLA models, which cannot be priced
/// yet.
LayerShape layer_shape(const ModelSpec& model, std::int64_t b, std::int64_t L);

/// One sentence for each fact of the model that the layer program leaves out.
std::vector<std::string> pricing_notes(const ModelSpec& model);

}  // namespace ithaca
