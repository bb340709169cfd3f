#include "models/hf_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

namespace ithaca {
namespace {

const std::filesystem::path configs =
    std::filesystem::path(ITHACA_SOURCE_DIR) / "tests/models/configs";

auto sizes(const LayerShape& s) {
  return std::tuple(s.d, s.k, s.g, s.e, s.i, s.norm, s.act);
}

auto kinds(const LayerShape& s) {
  return std::tuple(s.rope, s.fused_qkv, s.qkv_bias, s.o_bias, s.mlp_bias, s.qk_norm, s.post_norms,
                    s.parallel_residual);
}

void expect_same(const ModelSpec& imported, const ModelSpec& preset) {
  EXPECT_EQ(parameters(imported), preset.published_parameters);
  EXPECT_EQ(active_parameters(imported), active_parameters(preset));
  EXPECT_EQ(sizes(imported.layer), sizes(preset.layer));
  EXPECT_EQ(kinds(imported.layer), kinds(preset.layer));
  EXPECT_EQ(imported.model_type, preset.model_type);
  EXPECT_EQ(imported.tied_embeddings, preset.tied_embeddings);
  EXPECT_EQ(imported.max_position_embeddings, preset.max_position_embeddings);
  if (preset.layer.rope) {
    EXPECT_EQ(imported.layer.rope_theta, preset.layer.rope_theta);
  }
  EXPECT_EQ(imported.rope_scaling.type, preset.rope_scaling.type);
  EXPECT_EQ(imported.rope_scaling.factor, preset.rope_scaling.factor);
  EXPECT_EQ(pricing_notes(imported), pricing_notes(preset));
}

TEST(HfConfig, EqualsThePresetOfTheSameName) {
  int compared = 0;
  for (const auto& file : std::filesystem::directory_iterator(configs)) {
    const std::string name = file.path().stem().string();
    if (name.starts_with("no_preset_")) continue;
    SCOPED_TRACE(name);
    expect_same(load_model(file.path().string()), load_model(name));
    ++compared;
  }
  EXPECT_GE(compared, 18);
}

TEST(HfConfig, ReadsAWrapperThroughItsTextConfig) {
  const ModelSpec model = read_hf_config((configs / "gemma-3-27b-text.json").string());
  EXPECT_EQ(model.model_type, "gemma3_text");
  EXPECT_EQ(model.vocabulary, 262208);
  EXPECT_EQ(model.sliding_layers, 52);
  EXPECT_TRUE(model.tied_embeddings);
}

// The published count of Qwen1.5-MoE-A2.7B, which has a gated shared expert.
TEST(HfConfig, CountsASharedExpertWithItsGate) {
  EXPECT_EQ(parameters(load_model((configs / "no_preset_qwen1.5-moe-a2.7b.json").string())),
            14315784192);
}

TEST(HfConfig, ModelTypesAreSorted) {
  const std::vector<std::string> types = hf_model_types();
  EXPECT_TRUE(std::ranges::is_sorted(types));
  EXPECT_GE(types.size(), 15U);
}

}  // namespace
}  // namespace ithaca
