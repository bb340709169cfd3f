#include "reports/closed_forms.h"

#include "models/catalog.h"
#include "models/error.h"
#include "reports/layer_facts.h"
#include "sim/count.h"

#include <gtest/gtest.h>

#include <vector>

namespace ithaca {
namespace {

struct Case {
  LayerShape shape;
  int degree;
};

LayerShape heads(std::int64_t k, std::int64_t g, std::int64_t e) {
  LayerShape n;
  n.k = k;
  n.g = g;
  n.e = e;
  return n;
}

/// MHA, GQA, head dim free of d / heads, and fewer KV heads than ranks; 2 to 16 ranks, 6 among
/// them.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const int N : {2, 3, 4, 6, 8, 12, 16})
    for (const LayerShape& kind :
         {heads(48, 1, 8), heads(48, 4, 16), heads(2, 48, 8), heads(1, 48, 4), heads(4, 36, 8)})
      for (const Act act : {Act::swiglu, Act::gelu})
        for (const std::int64_t b : {1, 2})
          for (const std::int64_t per_rank : {2, 6}) {
            LayerShape n = kind;
            n.b = b;
            n.L = per_rank * N;
            n.d = 96;
            n.i = 240;
            n.act = act;
            all.push_back({n, N});
          }
  return all;
}

/// Whether the strategy fits the case at all; most do, and the test counts how many.
bool hold_equal(const std::string& strategy, const Case& c) {
  Arrangement at;
  try {
    at = arrange(strategy, default_mesh(strategy, c.degree, c.shape), c.shape);
  } catch (const InputError&) {
    return false;
  }
  const Layer layer = layer_program(c.shape, at.strategy, at.mesh);
  const Count counted = count(layer.program);
  Degrees degrees{c.degree, 1, 1};
  for (const Mesh::Extent& x : at.mesh.extents()) {
    if (x.name.starts_with("u")) degrees.ulysses *= x.ranks;
    if (x.name.starts_with("r")) degrees.ring *= x.ranks;
  }
  const ClosedForm form = closed_form(strategy, c.shape, degrees);
  EXPECT_EQ(form.activation.bytes, counted.sent_bytes().activation);
  EXPECT_EQ(form.weight.bytes, counted.sent_bytes().weight);
  const LayerFacts facts = facts_of(layer, counted, one_rank(c.shape));
  EXPECT_EQ(form.activation.elements, facts.activation.all());
  EXPECT_EQ(form.weight.elements, facts.weight.all());
  return true;
}

class EveryStrategy : public testing::TestWithParam<std::string> {};

TEST_P(EveryStrategy, ClosedFormEqualsCountOverTwoHundredShapes) {
  int held = 0;
  for (const Case& c : cases()) {
    held += hold_equal(GetParam(), c) ? 1 : 0;
    if (!HasFailure()) continue;
    FAIL() << GetParam() << " N=" << c.degree << " b=" << c.shape.b << " L=" << c.shape.L
           << " k=" << c.shape.k << " g=" << c.shape.g;
  }
  EXPECT_GE(held, 200);
}

INSTANTIATE_TEST_SUITE_P(Published, EveryStrategy, testing::ValuesIn(published_strategies()),
                         [](const auto& name) { return name.param; });

TEST(ClosedForm, HoldsForEveryVariantOfTheLayer) {
  for (int variant = 0; variant < 5; ++variant) {
    LayerShape n = heads(8, 2, 16);
    n.L = 32;
    n.d = 128;
    n.i = 256;
    n.norm = Norm::layer;
    n.parallel_residual = variant == 0;
    n.post_norms = variant == 1;
    n.qk_norm = variant == 2;
    n.fused_qkv = variant == 3;
    n.qkv_bias = n.o_bias = n.mlp_bias = variant == 4;
    for (const std::string& strategy : published_strategies())
      EXPECT_TRUE(hold_equal(strategy, {n, 8})) << strategy << " variant " << variant;
  }
}

TEST(ClosedForm, HoldsForEveryShareOfUlyssesAndRing) {
  for (const LayerShape& kind : {heads(4, 4, 16), heads(1, 16, 16), heads(16, 1, 8)})
    for (const int ulysses : {1, 2, 4, 8, 16}) {
      LayerShape n = kind;
      n.L = 96;
      n.d = 128;
      n.i = 256;
      const Arrangement at = arrange("usp_zero3", default_mesh("usp_zero3", 16, n, ulysses), n);
      const Count counted = count(layer_program(n, at.strategy, at.mesh).program);
      const ClosedForm form = closed_form("usp_zero3", n, {16, ulysses, 16 / ulysses});
      EXPECT_EQ(form.activation.bytes, counted.sent_bytes().activation) << ulysses << " " << n.k;
    }
}

TEST(ClosedForm, ShowsHowFarTheCountDeparts) {
  EXPECT_EQ(text_beside({"10F Sd", 1000, 2000}, 1000), "10F Sd");
  EXPECT_EQ(text_beside({"10F Sd", 1000, 2000}, 1001), "10F Sd") << "padding";
  EXPECT_EQ(text_beside({"10F Sd", 1000, 2000}, 1350), "10F Sd (x1.35)");
  EXPECT_EQ(text_beside({"0", 0, 0}, 0), "0");
}

}  // namespace
}  // namespace ithaca
