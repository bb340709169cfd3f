#include "models/model_yaml.h"

#include "models/nearest.h"
#include "models/yaml.h"

#include <fmt/format.h>

namespace ithaca {
namespace {

using Limits = SizeLimits;

std::int64_t integer_or(const Yaml& yaml, std::string_view key, std::int64_t absent,
                        std::int64_t most) {
  const std::optional<Yaml> found = yaml.find(key);
  return found ? found->integer(0, most) : absent;
}

double positive_or(const Yaml& yaml, std::string_view key, double absent) {
  const std::optional<Yaml> found = yaml.find(key);
  return found ? found->positive() : absent;
}

bool boolean_or_false(const Yaml& yaml, std::string_view key) {
  const std::optional<Yaml> found = yaml.find(key);
  return found && found->boolean();
}

std::string text_or_empty(const Yaml& yaml, std::string_view key) {
  const std::optional<Yaml> found = yaml.find(key);
  return found ? found->text() : "";
}

void read_heads(const Yaml& yaml, LayerShape& shape) {
  const std::int64_t heads = yaml.at("heads").integer(1, Limits::heads);
  shape.k = yaml.at("kv_heads").integer(1, Limits::heads);
  if (heads % shape.k != 0) {
    yaml.at("kv_heads").fail(fmt::format("expected a divisor of heads {}, got {}", heads, shape.k));
  }
  shape.g = heads / shape.k;
  shape.e = yaml.at("head_dim").integer(1, Limits::head_dim);
}

void read_kinds(const Yaml& yaml, LayerShape& shape) {
  const std::string activation = yaml.at("activation").one_of({"swiglu", "geglu", "gelu"});
  shape.act = activation == "gelu" ? Act::gelu : activation == "geglu" ? Act::geglu : Act::swiglu;
  shape.norm = yaml.at("norm").one_of({"rms", "layer"}) == "layer" ? Norm::layer : Norm::rms;
  if (const std::optional<Yaml> bias = yaml.find("attention_bias")) {
    const std::string which = bias->one_of({"none", "qkv", "all"});
    shape.qkv_bias = which != "none";
    shape.o_bias = which == "all";
  }
  shape.mlp_bias = boolean_or_false(yaml, "mlp_bias");
  shape.fused_qkv = boolean_or_false(yaml, "fused_qkv");
  shape.qk_norm = boolean_or_false(yaml, "qk_norm");
  shape.post_norms = boolean_or_false(yaml, "post_norms");
  shape.parallel_residual = boolean_or_false(yaml, "parallel_residual");
}

void read_positions(const Yaml& yaml, ModelSpec& model) {
  LayerShape& shape = model.layer;
  shape.rope = yaml.at("positions").one_of({"rope", "learned"}) == "rope";
  model.learned_positions = !shape.rope;
  model.max_position_embeddings = yaml.at("max_position_embeddings").integer(1, Limits::positions);
  if (!shape.rope) {
    if (const std::optional<Yaml> theta = yaml.find("rope_theta")) {
      theta->fail(
          fmt::format("expected none with learned positions, got {}", in_quotes(theta->text())));
    }
    return;
  }
  shape.rope_theta = yaml.at("rope_theta").positive();
  if (shape.e % 2 != 0) {
    yaml.at("head_dim")
        .fail(fmt::format("expected an even number for rotary positions, got {}", shape.e));
  }
  model.rope_local_theta = positive_or(yaml, "rope_local_theta", 0);
  model.partial_rotary_factor = positive_or(yaml, "partial_rotary_factor", 1);
  model.no_rope_layer_interval = integer_or(yaml, "no_rope_layer_interval", 0, model.layers);
  if (const std::optional<Yaml> scaling = yaml.find("rope_scaling")) {
    scaling->allow({"type", "factor", "original_max_position_embeddings"});
    model.rope_scaling = {
        scaling->at("type").text(), scaling->at("factor").positive(),
        integer_or(*scaling, "original_max_position_embeddings", 0, Limits::positions)};
  }
}

Experts read_experts(const Yaml& yaml, std::int64_t layers) {
  yaml.allow({"count", "active", "intermediate", "shared_intermediate", "dense_layers", "bias",
              "correction_bias", "shared_gate"});
  Experts experts;
  experts.count = yaml.at("count").integer(1, Limits::experts);
  experts.active = yaml.at("active").integer(1, experts.count);
  experts.intermediate = yaml.at("intermediate").integer(1, Limits::intermediate);
  experts.shared_intermediate = integer_or(yaml, "shared_intermediate", 0, Limits::intermediate);
  experts.dense_layers = integer_or(yaml, "dense_layers", 0, layers);
  experts.bias = boolean_or_false(yaml, "bias");
  experts.correction_bias = boolean_or_false(yaml, "correction_bias");
  experts.shared_gate = boolean_or_false(yaml, "shared_gate");
  return experts;
}

LatentAttention read_latent(const Yaml& yaml) {
  yaml.allow({"q_rank", "kv_rank", "nope_dim", "rope_dim", "v_dim"});
  LatentAttention latent;
  latent.q_rank = integer_or(yaml, "q_rank", 0, Limits::hidden);
  latent.kv_rank = yaml.at("kv_rank").integer(1, Limits::hidden);
  latent.nope_dim = yaml.at("nope_dim").integer(1, Limits::head_dim);
  latent.rope_dim = yaml.at("rope_dim").integer(1, Limits::head_dim);
  latent.v_dim = yaml.at("v_dim").integer(1, Limits::head_dim);
  return latent;
}

void read_extras(const Yaml& yaml, ModelSpec& model) {
  model.sliding_window = integer_or(yaml, "sliding_window", 0, Limits::positions);
  model.sliding_layers =
      integer_or(yaml, "sliding_layers", model.sliding_window > 0 ? model.layers : 0, model.layers);
  model.attention_softcap = positive_or(yaml, "attention_softcap", 0);
  model.logit_softcap = positive_or(yaml, "logit_softcap", 0);
  model.query_pre_attn_scalar = positive_or(yaml, "query_pre_attn_scalar", 0);
  model.attention_sinks = boolean_or_false(yaml, "attention_sinks");
  model.mtp_layers = integer_or(yaml, "mtp_layers", 0, model.layers);
  if (const std::optional<Yaml> experts = yaml.find("experts")) {
    model.experts = read_experts(*experts, model.layers);
  }
  if (const std::optional<Yaml> latent = yaml.find("latent_attention")) {
    model.latent = read_latent(*latent);
  }
}

void check_count(const Yaml& yaml, std::string_view key, std::int64_t counted,
                 std::int64_t& published) {
  const std::optional<Yaml> found = yaml.find(key);
  if (!found) return;
  published = found->integer();
  if (published != counted) {
    found->fail(fmt::format("expected {} as the sizes give, got {}", counted, published));
  }
}

void allow_keys(const Yaml& yaml) {
  yaml.allow({"name",
              "source",
              "hf_id",
              "model_type",
              "nominal",
              "parameters",
              "active_parameters",
              "layers",
              "hidden",
              "intermediate",
              "heads",
              "kv_heads",
              "head_dim",
              "vocabulary",
              "tied_embeddings",
              "activation",
              "norm",
              "positions",
              "max_position_embeddings",
              "rope_theta",
              "rope_local_theta",
              "rope_scaling",
              "partial_rotary_factor",
              "no_rope_layer_interval",
              "attention_bias",
              "mlp_bias",
              "fused_qkv",
              "qk_norm",
              "post_norms",
              "parallel_residual",
              "sliding_window",
              "sliding_layers",
              "attention_softcap",
              "logit_softcap",
              "query_pre_attn_scalar",
              "attention_sinks",
              "mtp_layers",
              "experts",
              "latent_attention"});
}

}  // namespace

ModelSpec read_model_yaml(const std::string& path) {
  const Yaml yaml = Yaml::file(path);
  allow_keys(yaml);
  ModelSpec model;
  model.name = yaml.at("name").text();
  model.source = yaml.at("source").text();
  model.model_type = yaml.at("model_type").text();
  model.hf_id = text_or_empty(yaml, "hf_id");
  model.nominal = text_or_empty(yaml, "nominal");
  model.layers = yaml.at("layers").integer(1, Limits::layers);
  model.vocabulary = yaml.at("vocabulary").integer(1, Limits::vocabulary);
  model.tied_embeddings = yaml.at("tied_embeddings").boolean();
  model.layer.d = yaml.at("hidden").integer(1, Limits::hidden);
  model.layer.i = yaml.at("intermediate").integer(1, Limits::intermediate);
  read_heads(yaml, model.layer);
  read_kinds(yaml, model.layer);
  read_positions(yaml, model);
  read_extras(yaml, model);
  check_count(yaml, "parameters", parameters(model), model.published_parameters);
  check_count(yaml, "active_parameters", active_parameters(model),
              model.published_active_parameters);
  return model;
}

}  // namespace ithaca
