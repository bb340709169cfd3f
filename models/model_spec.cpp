#include "models/model_spec.h"

#include "models/data_dir.h"
#include "models/error.h"
#include "models/hf_config.h"
#include "models/model_yaml.h"
#include "models/nearest.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <system_error>

namespace ithaca {
namespace {

std::int64_t attention_parameters(const ModelSpec& model) {
  const LayerShape& s = model.layer;
  const LatentAttention& mla = model.latent;
  if (mla.kv_rank > 0) {
    const std::int64_t q_width = s.h() * (mla.nope_dim + mla.rope_dim);
    const std::int64_t q =
        mla.q_rank > 0 ? s.d * mla.q_rank + mla.q_rank + mla.q_rank * q_width : s.d * q_width;
    const std::int64_t kv = s.d * (mla.kv_rank + mla.rope_dim) + mla.kv_rank +
                            mla.kv_rank * s.h() * (mla.nope_dim + mla.v_dim);
    return q + kv + s.h() * mla.v_dim * s.d;
  }
  std::int64_t sum = 2 * s.d * s.a() + 2 * s.d * s.c();
  if (s.qkv_bias) sum += s.a() + 2 * s.c();
  if (s.o_bias) sum += s.d;
  if (s.qk_norm) sum += 2 * s.e;
  if (model.attention_sinks) sum += s.h();
  return sum;
}

std::int64_t mlp_parameters(const LayerShape& s, std::int64_t width, bool bias) {
  const std::int64_t biases = bias ? s.gates() * width + s.d : 0;
  return (s.gates() + 1) * s.d * width + biases;
}

/// The router, `used` routed experts and the shared ones.
std::int64_t moe_parameters(const ModelSpec& model, std::int64_t used) {
  const LayerShape& s = model.layer;
  const Experts& experts = model.experts;
  std::int64_t router = s.d * experts.count;
  if (experts.bias) router += experts.count;
  if (experts.correction_bias) router += experts.count;
  const std::int64_t shared = mlp_parameters(s, experts.shared_intermediate, false);
  return router + used * mlp_parameters(s, experts.intermediate, experts.bias) + shared +
         (experts.shared_gate ? s.d : 0);
}

std::int64_t parameters_with(const ModelSpec& model, std::int64_t experts_used) {
  const LayerShape& s = model.layer;
  const std::int64_t norm = s.norm == Norm::layer ? 2 * s.d : s.d;
  const std::int64_t moe_layers =
      model.experts.count > 0 ? model.layers - model.experts.dense_layers : 0;
  const std::int64_t every_layer = attention_parameters(model) + (s.post_norms ? 4 : 2) * norm;
  const std::int64_t ends = (model.tied_embeddings ? 1 : 2) * model.vocabulary * s.d + norm +
                            (model.learned_positions ? model.max_position_embeddings * s.d : 0);
  return model.layers * every_layer +
         (model.layers - moe_layers) * mlp_parameters(s, s.i, s.mlp_bias) +
         (moe_layers > 0 ? moe_layers * moe_parameters(model, experts_used) : 0) + ends;
}

}  // namespace

std::vector<std::string> model_names() {
  return data_names("models/presets");
}

ModelSpec load_model(const std::string& name_or_path) {
  const std::vector<std::string> names = model_names();
  if (std::ranges::binary_search(names, name_or_path)) {
    return read_model_yaml((data_dir() / "models/presets" / (name_or_path + ".yaml")).string());
  }
  if (!is_path(name_or_path)) {
    const std::string hint = did_you_mean(name_or_path, names);
    throw InputError(
        "model",
        fmt::format("expected a preset, a YAML file or a config.json, got {}{}",
                    in_quotes(name_or_path), hint.empty() ? ", see `ithaca models`" : hint));
  }
  std::filesystem::path path = name_or_path;
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path / "config.json", ignored)) {
    path /= "config.json";
  }
  return path.extension() == ".json" ? read_hf_config(path.string())
                                     : read_model_yaml(path.string());
}

std::int64_t parameters(const ModelSpec& model) {
  return parameters_with(model, model.experts.count);
}

std::int64_t active_parameters(const ModelSpec& model) {
  return parameters_with(model, model.experts.active);
}

LayerShape layer_shape(const ModelSpec& model, std::int64_t b, std::int64_t L) {
  if (model.experts.count > 0) {
    throw InputError("model",
                     fmt::format("{}: pricing of mixture-of-experts layers is not supported yet, "
                                 "only its parameters are counted",
                                 model.name));
  }
  if (model.latent.kv_rank > 0) {
    throw InputError("model",
                     fmt::format("{}: pricing of latent attention (MLA) is not supported yet, "
                                 "only its parameters are counted",
                                 model.name));
  }
  LayerShape shape = model.layer;
  shape.b = b;
  shape.L = L;
  return shape;
}

std::vector<std::string> pricing_notes(const ModelSpec& model) {
  std::vector<std::string> notes;
  if (model.sliding_window > 0) {
    notes.push_back(
        fmt::format("{} of {} layers attend to a sliding window of {} tokens; a whole step is "
                    "priced so, a single "
                    "layer as causal",
                    model.sliding_layers, model.layers, model.sliding_window));
  }
  if (model.attention_softcap > 0)
    notes.emplace_back("soft-capped attention logits; priced without the cap");
  if (model.logit_softcap > 0)
    notes.emplace_back("soft-capped output logits; priced without the cap");
  if (model.partial_rotary_factor < 1) {
    notes.push_back(
        fmt::format("rotary positions on {:g} of the head dimension; priced as on all of it",
                    model.partial_rotary_factor));
  }
  if (model.attention_sinks)
    notes.emplace_back("attention sinks, one logit per head; priced without");
  if (model.no_rope_layer_interval > 0) {
    notes.push_back(fmt::format("every {}th layer has no rotary positions; priced with",
                                model.no_rope_layer_interval));
  }
  if (model.mtp_layers > 0) {
    notes.push_back(fmt::format("{} multi-token prediction module(s); neither counted nor priced",
                                model.mtp_layers));
  }
  return notes;
}

}  // namespace ithaca
