// Under every mask a sharded layer runs as one rank does, whichever way the tokens are dealt.
#include "runtime/verify.h"
#include "tests/masks.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

class UnderAMask : public testing::TestWithParam<Case> {};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.expression + "_" + std::to_string(parse_mesh(info.param.mesh).ranks());
}

TEST_P(UnderAMask, RunsAsOneRankDoes) {
  LayerShape shape = shape_of(48, 24, {4, 2, 4}, 32);
  const Arrangement at = arrange(GetParam().expression, parse_mesh(GetParam().mesh), shape);
  for (const DefinedMask& m : masks_of(shape.L)) {
    // Where a query sees one key, gradients of queries and keys are zero but for rounding: nothing to be relative to.
    if (m.mask == Mask::window(1)) continue;
    shape.mask = m.mask;
    const Verification v = verify_layer(shape, at.strategy, at.mesh);
    EXPECT_LE(v.max_relative_error(), 1e-10) << to_string(m.mask);
    EXPECT_TRUE(v.bytes_match()) << to_string(m.mask);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sharded, UnderAMask,
    testing::Values(Case{"ulysses_zero3", "u=4"}, Case{"ring_zero3", "r=4"},
                    Case{"ring_zigzag_zero3", "r=4"}, Case{"ring_stripes_zero3", "r=4"},
                    Case{"ring_homing_zigzag_zero3", "r=3"}, Case{"kv_gather_zigzag_zero3", "c=4"},
                    Case{"usp_zigzag_zero3", "r=2,u=2"}, Case{"usp_stripes_zero3", "r=2,u=2"},
                    Case{"tp_sp", "t=4"}),
    name_of);

TEST(Recomputed, UnderAMaskRunsAsOneRankDoes) {
  LayerShape shape = shape_of(48, 24, {4, 2, 4}, 32);
  shape.mask = Mask::documents({5, 20, 23});
  for (const char* const name : {"ring_zigzag_zero3", "ring_homing_zero3", "ulysses_zero3"}) {
    const Arrangement at = arrange(name, default_mesh(name, 4, shape), shape);
    EXPECT_LE(verify_layer(shape, at.strategy, at.mesh, {DType::f64, true}).max_relative_error(),
              1e-10)
        << name;
  }
}

}  // namespace
}  // namespace ithaca
