#include "models/hf_config.h"

#include "models/json_object.h"
#include "models/model_yaml.h"
#include "models/nearest.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ithaca {
namespace {

using Limits = SizeLimits;

enum class Bias : std::uint8_t {
  none,
  qkv,
  all,
  key_false,
  key_true
};  // key_*: attention_bias, by default so

/// What a model class takes for granted.
struct Family {
  std::string_view model_type;
  std::int64_t head_dim = 0;  // 0: hidden / heads
  double rope_theta = 10000;
  Bias bias = Bias::none;
  bool gated = true, tied = false;
  bool qk_norm = false, post_norms = false, fused_qkv = false;
};

constexpr Family families[] = {
    {.model_type = "deepseek_v2", .bias = Bias::key_false},
    {.model_type = "deepseek_v3", .bias = Bias::key_false},
    {.model_type = "gemma", .head_dim = 256, .bias = Bias::key_false, .tied = true},
    {.model_type = "gemma2",
     .head_dim = 256,
     .bias = Bias::key_false,
     .tied = true,
     .post_norms = true},
    {.model_type = "gemma3_text",
     .head_dim = 256,
     .rope_theta = 1e6,
     .bias = Bias::key_false,
     .tied = true,
     .qk_norm = true,
     .post_norms = true},
    {.model_type = "gpt2", .bias = Bias::all, .gated = false, .tied = true, .fused_qkv = true},
    {.model_type = "gpt_neox", .bias = Bias::key_true, .gated = false, .fused_qkv = true},
    {.model_type = "gpt_oss", .head_dim = 64, .rope_theta = 150000, .bias = Bias::key_true},
    {.model_type = "llama", .bias = Bias::key_false},
    {.model_type = "mistral"},
    {.model_type = "mixtral", .rope_theta = 1e6},
    {.model_type = "phi3", .fused_qkv = true},
    {.model_type = "qwen2", .bias = Bias::qkv},
    {.model_type = "qwen2_moe", .bias = Bias::qkv},
    {.model_type = "qwen3", .head_dim = 128, .bias = Bias::key_false, .qk_norm = true},
    {.model_type = "qwen3_moe", .bias = Bias::key_false, .qk_norm = true},
    {.model_type = "smollm3", .rope_theta = 2e6, .bias = Bias::key_false, .tied = true},
};

const Family& family_of(const JsonObject& config) {
  const std::string type = config.text_or({"model_type"}, "");
  const auto* const found = std::ranges::find(families, type, &Family::model_type);
  if (found != std::end(families)) return *found;
  if (type.empty()) config.fail("", "missing key model_type");
  config.fail("model_type",
              fmt::format("expected one of {}, got {}{}", fmt::join(hf_model_types(), ", "),
                          in_quotes(type), did_you_mean(type, hf_model_types())));
}

bool is(const Family& family, std::initializer_list<std::string_view> types) {
  return std::ranges::find(types, family.model_type) != types.end();
}

/// Gated or not is a matter of the model class; the name only tells which function.
Act activation(const JsonObject& config, const Family& family) {
  const std::string absent = is(family, {"gemma", "gemma2", "gemma3_text"}) ? "gelu_pytorch_tanh"
                             : family.gated                                 ? "silu"
                                                                            : "gelu";
  const Keys keys = {"hidden_activation", "hidden_act", "activation_function"};
  const std::string name = config.text_or(keys, absent);
  const bool gelu = name.starts_with("gelu");
  if (gelu) return family.gated ? Act::geglu : Act::gelu;
  if (family.gated && (name == "silu" || name == "swish")) return Act::swiglu;
  const auto* const key = std::ranges::find_if(keys, [&](auto one) { return config.has(one); });
  config.fail(*key,
              fmt::format("expected {} for {}, got {}", family.gated ? "silu or gelu" : "gelu",
                          family.model_type, in_quotes(name)));
}

void read_heads(const JsonObject& config, const Family& family, LayerShape& shape) {
  // Gemma-3 text configs may leave these to their class: 8 heads over 4 KV heads.
  const bool gemma3 = family.model_type == "gemma3_text";
  const std::int64_t heads =
      config.size({"num_attention_heads", "n_head"}, Limits::heads, gemma3 ? 8 : 0);
  shape.k = config.size({"num_key_value_heads"}, Limits::heads, gemma3 ? 4 : heads);
  if (heads % shape.k != 0) {
    config.fail(
        "num_key_value_heads",
        fmt::format("expected a divisor of num_attention_heads {}, got {}", heads, shape.k));
  }
  shape.g = heads / shape.k;
  const bool latent = config.has("kv_lora_rank");
  if (family.head_dim == 0 && !config.has("head_dim") && !latent && shape.d % heads != 0) {
    config.fail("num_attention_heads",
                fmt::format("expected a divisor of hidden_size {} as there is no head_dim, got {}",
                            shape.d, heads));
  }
  shape.e = latent ? config.size({"qk_nope_head_dim"}, Limits::head_dim)
                   : config.size({"head_dim"}, Limits::head_dim,
                                 family.head_dim > 0 ? family.head_dim : shape.d / heads);
  if (shape.e % 2 != 0 && family.model_type != "gpt2") {
    config.fail("head_dim",
                fmt::format("expected an even number for rotary positions, got {}", shape.e));
  }
}

void read_biases(const JsonObject& config, const Family& family, LayerShape& shape) {
  const bool from_key = family.bias == Bias::key_false || family.bias == Bias::key_true;
  const bool all = from_key ? config.boolean_or("attention_bias", family.bias == Bias::key_true)
                            : family.bias == Bias::all;
  shape.qkv_bias = all || family.bias == Bias::qkv;
  shape.o_bias = all;
  shape.mlp_bias = is(family, {"gpt2", "gpt_neox"}) || config.boolean_or("mlp_bias", false);
}

void read_layer(const JsonObject& config, const Family& family, LayerShape& shape) {
  shape.d = config.size({"hidden_size", "n_embd", "d_model"}, Limits::hidden);
  shape.i = config.size({"intermediate_size", "n_inner"}, Limits::intermediate, 4 * shape.d);
  read_heads(config, family, shape);
  read_biases(config, family, shape);
  shape.act = activation(config, family);
  shape.norm = is(family, {"gpt2", "gpt_neox"}) ? Norm::layer : Norm::rms;
  shape.qk_norm = family.qk_norm;
  shape.post_norms = family.post_norms;
  shape.fused_qkv = family.fused_qkv;
  shape.parallel_residual =
      family.model_type == "gpt_neox" && config.boolean_or("use_parallel_residual", true);
}

/// Old files have rope_theta and rope_scaling, newer ones rope_parameters with both, some by kind
/// of layer.
void read_rope(const JsonObject& config, const Family& family, ModelSpec& model) {
  LayerShape& shape = model.layer;
  shape.rope = family.model_type != "gpt2";
  model.learned_positions = !shape.rope;
  if (!shape.rope) return;
  std::optional<JsonObject> rope = config.object("rope_parameters");
  if (rope && rope->has("full_attention")) rope = rope->object("full_attention");
  const double outer = config.positive_or({"rope_theta", "rotary_emb_base"}, family.rope_theta);
  shape.rope_theta = rope ? rope->positive_or({"rope_theta"}, outer) : outer;
  model.rope_local_theta = config.positive_or({"rope_local_base_freq"}, 0);
  const double neox = family.model_type == "gpt_neox" ? 0.25 : 1;
  model.partial_rotary_factor = config.positive_or({"partial_rotary_factor", "rotary_pct"}, neox);
  model.no_rope_layer_interval = config.whole_or({"no_rope_layer_interval"}, Limits::layers,
                                                 family.model_type == "smollm3" ? 4 : 0);
  const std::optional<JsonObject> scaling = rope ? rope : config.object("rope_scaling");
  if (!scaling) return;
  const std::string type = scaling->text_or({"rope_type", "type"}, "default");
  if (type == "default") return;
  model.rope_scaling = {
      type, scaling->positive_or({"factor"}, 1),
      scaling->whole_or({"original_max_position_embeddings"}, Limits::positions, 0)};
}

std::int64_t sliding_layers(const JsonObject& config, const Family& family, std::int64_t layers) {
  if (const nlohmann::json* const kinds = config.list("layer_types")) {
    return std::ranges::count(*kinds, nlohmann::json("sliding_attention"));
  }
  if (is(family, {"qwen2", "qwen2_moe", "qwen3", "qwen3_moe"})) {
    return layers -
           std::min(layers, config.whole_or({"max_window_layers"}, Limits::layers, layers));
  }
  if (is(family, {"gemma2", "gpt_oss"})) return layers / 2;
  if (family.model_type == "gemma3_text") {
    return layers - layers / config.size({"sliding_window_pattern"}, Limits::layers, 6);
  }
  return layers;
}

void read_window(const JsonObject& config, const Family& family, ModelSpec& model) {
  const bool qwen = is(family, {"qwen2", "qwen2_moe", "qwen3", "qwen3_moe"});
  if (qwen && !config.boolean_or("use_sliding_window", false)) return;
  model.sliding_window = config.whole_or({"sliding_window"}, Limits::positions, 0);
  if (model.sliding_window > 0) model.sliding_layers = sliding_layers(config, family, model.layers);
}

std::int64_t dense_layers(const JsonObject& config, std::int64_t layers) {
  const std::int64_t first = config.whole_or({"first_k_dense_replace"}, Limits::layers, 0);
  const std::int64_t every = config.size({"moe_layer_freq"}, Limits::layers, 1);
  const std::int64_t step = config.size({"decoder_sparse_step"}, Limits::layers, 1);
  const nlohmann::json* const only = config.list("mlp_only_layers");
  std::int64_t dense = 0;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const bool named =
        only != nullptr && std::ranges::find(*only, nlohmann::json(layer)) != only->end();
    if (layer < first || layer % every != 0 || (layer + 1) % step != 0 || named) ++dense;
  }
  return dense;
}

Experts read_experts(const JsonObject& config, const Family& family, const ModelSpec& model) {
  Experts experts;
  if (!is(family, {"mixtral", "gpt_oss", "qwen2_moe", "qwen3_moe", "deepseek_v2", "deepseek_v3"}))
    return experts;
  experts.count =
      config.size({"num_local_experts", "num_experts", "n_routed_experts"}, Limits::experts);
  experts.active = config.size({"num_experts_per_tok"}, experts.count);
  const bool own_width = !is(family, {"mixtral", "gpt_oss"});
  experts.intermediate =
      own_width ? config.size({"moe_intermediate_size"}, Limits::intermediate) : model.layer.i;
  const std::int64_t shared = config.whole_or({"n_shared_experts"}, Limits::experts, 0);
  experts.shared_intermediate = config.whole_or(
      {"shared_expert_intermediate_size"}, Limits::intermediate, shared * experts.intermediate);
  experts.dense_layers = dense_layers(config, model.layers);
  experts.bias = family.model_type == "gpt_oss";
  experts.correction_bias = family.model_type == "deepseek_v3";
  experts.shared_gate = family.model_type == "qwen2_moe";
  return experts;
}

LatentAttention read_latent(const JsonObject& config, const Family& family) {
  LatentAttention latent;
  if (!is(family, {"deepseek_v2", "deepseek_v3"})) return latent;
  latent.q_rank = config.whole_or({"q_lora_rank"}, Limits::hidden, 0);
  latent.kv_rank = config.size({"kv_lora_rank"}, Limits::hidden);
  latent.nope_dim = config.size({"qk_nope_head_dim"}, Limits::head_dim);
  latent.rope_dim = config.size({"qk_rope_head_dim"}, Limits::head_dim);
  latent.v_dim = config.size({"v_head_dim"}, Limits::head_dim);
  return latent;
}

void read_extras(const JsonObject& config, const Family& family, ModelSpec& model) {
  // Null means no cap; only Gemma-2's class has caps when the keys are absent.
  const bool gemma2 = family.model_type == "gemma2";
  model.attention_softcap = config.positive_or({"attn_logit_softcapping"}, gemma2 ? 50 : 0);
  model.logit_softcap = config.positive_or({"final_logit_softcapping"}, gemma2 ? 30 : 0);
  model.query_pre_attn_scalar = config.positive_or({"query_pre_attn_scalar"}, 0);
  model.attention_sinks = family.model_type == "gpt_oss";
  model.mtp_layers = config.whole_or({"num_nextn_predict_layers"}, Limits::layers, 0);
  model.experts = read_experts(config, family, model);
  model.latent = read_latent(config, family);
}

}  // namespace

std::vector<std::string> hf_model_types() {
  std::vector<std::string> types;
  for (const Family& family : families) types.emplace_back(family.model_type);
  return types;
}

ModelSpec read_hf_config(const std::string& path) {
  const JsonObject outer = JsonObject::file(path);
  const std::optional<JsonObject> inner = outer.object("text_config");
  const JsonObject& config = inner ? *inner : outer;
  const Family& family = family_of(config);
  const bool gemma3 = family.model_type == "gemma3_text";
  ModelSpec model;
  model.name = outer.text_or({"_name_or_path"}, "");
  if (model.name.empty()) model.name = path;
  model.source = path;
  model.model_type = family.model_type;
  model.layers = config.size({"num_hidden_layers", "n_layer"}, Limits::layers);
  model.vocabulary = config.size({"vocab_size"}, Limits::vocabulary, gemma3 ? 262208 : 0);
  model.max_position_embeddings = config.size({"max_position_embeddings", "n_positions"},
                                              Limits::positions, gemma3 ? 131072 : 2048);
  model.tied_embeddings = config.boolean_or("tie_word_embeddings", family.tied);
  read_layer(config, family, model.layer);
  read_rope(config, family, model);
  read_window(config, family, model);
  read_extras(config, family, model);
  return model;
}

}  // namespace ithaca
