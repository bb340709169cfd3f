#include "models/catalog.h"

#include "models/error.h"
#include "models/profile.h"
#include "sim/count.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <set>

namespace ithaca {
namespace {

std::string text(const Mesh& mesh) {
  std::string all;
  for (const Mesh::Extent& extent : mesh.extents())
    all += (all.empty() ? "" : ",") + extent.name + "=" + std::to_string(extent.ranks);
  return all;
}

LayerShape few_key_heads() {
  LayerShape n = small_shape();
  n.k = 2;
  n.g = 8;
  return n;
}

TEST(Catalog, EveryPublishedStrategyIsLegalAtItsDefaultMesh) {
  for (const std::string& name : published_strategies())
    for (const int n : {2, 4, 8})
      EXPECT_EQ(layer_of(name, n, small_shape()).program.mesh().ranks(), n) << name;
}

TEST(Catalog, RowsHaveNamesOfTheirOwnASentenceAndAnAxisForEachArgument) {
  std::set<std::string_view> names;
  for (const StrategyRow& row : strategy_rows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.sentence.empty()) << row.name;
    EXPECT_FALSE(row.axes.empty()) << row.name;
    for (const char axis : row.spreads_heads)
      EXPECT_NE(row.axes.find(axis), std::string_view::npos) << row.name;
  }
}

TEST(Catalog, KeepingWeightsIsZero3UnlessItIsSaid) {
  const auto sent = [](const char* name) {
    return count(layer_of(name, 4, small_shape()).program).sent_bytes().weight;
  };
  EXPECT_EQ(sent("ring"), sent("ring_zero3"));
  EXPECT_GT(sent("ring_zero3"), 0);
  EXPECT_EQ(sent("ring_ddp"), 0);
}

TEST(Catalog, EveryWordForKeepingWeightsIsReadAndWritten) {
  const auto weights = [](const std::string& name) {
    return arrange(name, parse_mesh("u=4"), small_shape()).strategy.mlp.weights;
  };
  EXPECT_TRUE(weights("ulysses_ddp").flat.empty() && weights("ulysses_ddp").state.empty());
  EXPECT_EQ(weights("ulysses_zero1").state.size(), 1U);
  EXPECT_TRUE(weights("ulysses_zero1").scatter.empty());
  EXPECT_EQ(weights("ulysses_zero2").scatter.size(), 1U);
  EXPECT_FALSE(weights("ulysses_zero3").keep);
  EXPECT_TRUE(weights("ulysses_gradop").keep);
  EXPECT_EQ(weights("ulysses_gradop").flat.size(), 1U);
  for (const auto& [keep, text] : {std::pair{Keep::zero3, "ring_zigzag_zero3(r)"},
                                   {Keep::zero2, "ring_zigzag_zero2(r)"},
                                   {Keep::zero1, "ring_zigzag_zero1(r)"},
                                   {Keep::ddp, "ring_zigzag_ddp(r)"},
                                   {Keep::gradop, "ring_zigzag_gradop(r)"}})
    EXPECT_EQ(text_of({{find_row("ring"), Deal::zigzag, keep, {"r"}}}), text);
}

TEST(Profile, OfDeepSpeedSumsGradientsWholeAndNoOtherDoes) {
  const Strategy zero1 = arrange("data_zero1", parse_mesh("p=4"), small_shape()).strategy;
  for (const Profile& profile : profiles()) {
    EXPECT_FALSE(profile.source.empty()) << profile.name;
    EXPECT_EQ(with_profile(zero1, profile).mlp.weights.all_reduce,
              profile.name.find("deepspeed") != std::string_view::npos);
    EXPECT_EQ(find_profile(profile.name).sentence, profile.sentence);
  }
}

TEST(Profile, OfAnUnknownNameIsRefusedWithTheNearest) {
  try {
    find_profile("deepsped");
    FAIL();
  } catch (const InputError& e) {
    EXPECT_NE(std::string(e.what()).find("did you mean \"deepspeed\"?"), std::string::npos)
        << e.what();
  }
}

TEST(Catalog, SpacesDoNotMatter) {
  const Mesh mesh = parse_mesh("r=2,u=2");
  EXPECT_EQ(
      print(layer_of("ring_zero3(r)*ulysses_zero3(u)", mesh, small_shape()).program),
      print(layer_of("  ring_zero3( r )  *  ulysses_zero3(u) ", mesh, small_shape()).program));
}

TEST(Catalog, UspIsARingAroundUlysses) {
  const Mesh mesh = parse_mesh("r=2,u=4");
  EXPECT_EQ(print(layer_of("usp_zero3", mesh, small_shape()).program),
            print(layer_of("ring_zero3(r) * ulysses_zero3(u)", mesh, small_shape()).program));
}

TEST(Catalog, OdysseusIsTpSpAttentionAndALocalMlpUnlessItRecomputes) {
  const Mesh mesh = parse_mesh("t=4");
  EXPECT_EQ(print(layer_of("odysseus_zero3", mesh, small_shape()).program),
            print(layer_of("tp_sp(t) | local_zero3(t)", mesh, small_shape()).program));
}

TEST(Catalog, TheMlpHalfDealsTokensAsAttentionDoes) {
  const Mesh mesh = parse_mesh("r=4");
  const std::string both = print(layer_of("ring_zigzag_zero3(r)", mesh, small_shape()).program);
  EXPECT_EQ(print(layer_of("ring_zigzag_zero3(r) | local_zero3(r)", mesh, small_shape()).program),
            both);
  EXPECT_EQ(
      print(layer_of("ring_zigzag_zero3(r) | local_zigzag_zero3(r)", mesh, small_shape()).program),
      both);
  EXPECT_THROW(layer_of("ring_zigzag_zero3(r) | local_stripes_zero3(r)", mesh, small_shape()),
               InputError);
}

TEST(Arrange, SplitsAHeadAxisThatHasMoreRanksThanKeyHeads) {
  EXPECT_EQ(text(arrange("tp", parse_mesh("t=8"), few_key_heads()).mesh), "t_rep=4,t=2");
  EXPECT_EQ(text(arrange("tp", parse_mesh("t=2"), few_key_heads()).mesh), "t=2");
  EXPECT_EQ(text(arrange("ring(r) * ulysses(u)", parse_mesh("r=2,u=4"), few_key_heads()).mesh),
            "r=2,u_rep=2,u=2");
}

TEST(Arrange, GivesInnerAxesTheirKeyHeadsFirst) {
  EXPECT_EQ(text(arrange("ulysses(u) * tp(t)", parse_mesh("u=2,t=2"), few_key_heads()).mesh),
            "u_rep=2,u=1,t=2");
}

TEST(DefaultMesh, GivesUlyssesTheKeyHeadsAndTheRingTheRest) {
  EXPECT_EQ(text(default_mesh("usp_zero3", 8, small_shape())), "r=2,u=4");
  EXPECT_EQ(text(default_mesh("usp_zero3", 16, small_shape())), "r=2,u=8");
  EXPECT_EQ(text(default_mesh("usp_zero3", 8, few_key_heads())), "r=4,u=2");
  EXPECT_EQ(text(default_mesh("usp_zero3", 8, small_shape(), 2)), "r=4,u=2");
  EXPECT_EQ(text(default_mesh("tp_sp", 8, small_shape())), "t=8");
  EXPECT_THROW(default_mesh("usp_zero3", 8, small_shape(), 3), InputError);
  EXPECT_THROW(default_mesh("data(p) * ring(r) * tp(t)", 8, small_shape()), InputError);
}

TEST(ParseMesh, ReadsAxesSlowestFirst) {
  const Mesh mesh = parse_mesh("r=2, u=4");
  EXPECT_EQ(text(mesh), "r=2,u=4");
  EXPECT_EQ(mesh.coordinate(5, mesh.axis("r")), 1);
  EXPECT_EQ(mesh.coordinate(5, mesh.axis("u")), 1);
}

}  // namespace
}  // namespace ithaca
