#include "models/model_spec.h"

#include "models/error.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

std::string fault_of(const std::string& name) {
  try {
    layer_shape(load_model(name), 1, 1024);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ModelSpec, EveryPresetCountsItsPublishedParameters) {
  const std::vector<std::string> names = model_names();
  EXPECT_EQ(names.size(), 45U);
  for (const std::string& name : names) {
    const ModelSpec model = load_model(name);
    EXPECT_EQ(model.name, name);
    EXPECT_FALSE(model.source.empty()) << name;
    ASSERT_GT(model.published_parameters, 0) << name;
    EXPECT_EQ(parameters(model), model.published_parameters) << name;
    if (model.experts.count > 0) {
      ASSERT_GT(model.published_active_parameters, 0) << name;
      EXPECT_EQ(active_parameters(model), model.published_active_parameters) << name;
    } else {
      EXPECT_EQ(active_parameters(model), parameters(model)) << name;
    }
  }
}

// Counts that published figures are often confused with, spelled out so that a changed preset
// shows.
TEST(ModelSpec, KeepsClearOfKnownTraps) {
  EXPECT_EQ(parameters(load_model("llama-2-7b")), 6738415616);    // not with 2048 inv_freq elements
  EXPECT_EQ(parameters(load_model("llama-2-70b")), 68976648192);  // not with 5120
  EXPECT_EQ(parameters(load_model("qwen3-0.6b")), 596049920);     // tied head counted once
  EXPECT_EQ(parameters(load_model("qwen3-1.7b")), 1720574976);
  EXPECT_EQ(parameters(load_model("gpt-oss-120b")), 116829156672);  // not the packed mxfp4 tensors
  EXPECT_EQ(parameters(load_model("gpt-oss-20b")), 20914757184);
  EXPECT_EQ(parameters(load_model("deepseek-v3")), 671026419200);  // no MTP module, no fp8 scales
  EXPECT_EQ(active_parameters(load_model("deepseek-v3")), 37552297472);
  EXPECT_EQ(parameters(load_model("mixtral-8x22b")), 140630071296);  // vocabulary 32768, not 32000
  EXPECT_EQ(parameters(load_model("gpt-3-175b")), 174604259328);     // 175.0B is nominal
  EXPECT_EQ(load_model("gpt-3-175b").nominal, "175.0B");
}

TEST(ModelSpec, LayerShapeCarriesTheSizes) {
  const LayerShape shape = layer_shape(load_model("llama-3.1-8b"), 2, 131072);
  EXPECT_EQ(shape.b, 2);
  EXPECT_EQ(shape.L, 131072);
  EXPECT_EQ(shape.d, 4096);
  EXPECT_EQ(shape.k, 8);
  EXPECT_EQ(shape.g, 4);
  EXPECT_EQ(shape.e, 128);
  EXPECT_EQ(shape.i, 14336);
  EXPECT_EQ(shape.act, Act::swiglu);
  EXPECT_EQ(shape.rope_theta, 500000);
}

TEST(ModelSpec, KindsFollowTheFamily) {
  const LayerShape gemma = layer_shape(load_model("gemma-3-1b"), 1, 1);
  EXPECT_EQ(gemma.act, Act::geglu);
  EXPECT_TRUE(gemma.qk_norm && gemma.post_norms);
  const LayerShape gpt2 = layer_shape(load_model("gpt2-xl"), 1, 1);
  EXPECT_EQ(gpt2.act, Act::gelu);
  EXPECT_EQ(gpt2.norm, Norm::layer);
  EXPECT_TRUE(gpt2.qkv_bias && gpt2.o_bias && gpt2.mlp_bias && !gpt2.rope);
  const LayerShape qwen = layer_shape(load_model("qwen2.5-7b"), 1, 1);
  EXPECT_TRUE(qwen.qkv_bias && !qwen.o_bias && !qwen.mlp_bias);
  EXPECT_TRUE(layer_shape(load_model("gpt-neox-20b"), 1, 1).parallel_residual);
}

TEST(ModelSpec, EveryDensePresetHasALayerShape) {
  int dense = 0;
  for (const std::string& name : model_names()) {
    const ModelSpec model = load_model(name);
    if (model.experts.count > 0 || model.latent.kv_rank > 0) continue;
    ++dense;
    EXPECT_EQ(layer_shape(model, 1, 8).L, 8) << name;
  }
  EXPECT_EQ(dense, 37);
}

TEST(ModelSpec, RefusesToPriceMoeAndMla) {
  EXPECT_EQ(
      fault_of("mixtral-8x7b"),
      "model: mixtral-8x7b: pricing of mixture-of-experts layers is not supported yet, only its "
      "parameters are counted");
  ModelSpec mla = load_model("deepseek-v2-lite");
  mla.experts = {};
  EXPECT_THROW(layer_shape(mla, 1, 1), InputError);
}

TEST(ModelSpec, NotesWhatIsLoadedButNotPriced) {
  EXPECT_TRUE(pricing_notes(load_model("llama-3.1-8b")).empty());
  const std::vector<std::string> gemma = pricing_notes(load_model("gemma-2-9b"));
  ASSERT_EQ(gemma.size(), 3U);
  EXPECT_EQ(gemma[0],
            "21 of 42 layers attend to a sliding window of 4096 tokens; a whole step is priced so, "
            "a single "
            "layer as causal");
  EXPECT_EQ(pricing_notes(load_model("gpt-neox-20b")).size(), 1U);
  EXPECT_EQ(pricing_notes(load_model("smollm3-3b")).size(), 1U);
  EXPECT_EQ(pricing_notes(load_model("gpt-oss-20b")).size(), 2U);
}

TEST(ModelSpec, UnknownNameGetsTheNearestPreset) {
  EXPECT_EQ(
      fault_of("llama3.1-8b"),
      "model: expected a preset, a YAML file or a config.json, got \"llama3.1-8b\", did you mean "
      "\"llama-3.1-8b\"?");
  EXPECT_EQ(fault_of("completely-else"),
            "model: expected a preset, a YAML file or a config.json, got \"completely-else\", see "
            "`ithaca models`");
  EXPECT_NE(fault_of(std::string(100000, 'x')), "no error");
}

}  // namespace
}  // namespace ithaca
