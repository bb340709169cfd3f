// Gathers and scatters in pieces run as one rank does, and move and hold what was predicted.
#include "runtime/verify.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace ithaca {
namespace {

/// Grouped heads, as many as two ranks have, with biases and LayerNorm or without; two samples on a data rank.
LayerShape shape_for(const Mesh& mesh, bool everything) {
  LayerShape shape = everything ? shape_of(64, 24, {2, 8, 2}, 32) : shape_of(64, 24, {8, 2, 2}, 32);
  shape.qkv_bias = shape.o_bias = shape.mlp_bias = shape.fused_qkv = everything;
  shape.norm = everything ? Norm::layer : Norm::rms;
  shape.b = 2;
  for (const Mesh::Extent& extent : mesh.extents())
    if (extent.name == "p" || extent.name == "r") shape.b *= extent.ranks;
  return shape;
}

TEST(ChunkRuns, AsOneRankDoes) {
  int changed = 0;
  for (const Case& c : all_cases())
    for (const bool everything : {false, true})
      for (const std::int64_t pieces : {2, 3}) {
        SCOPED_TRACE(fmt::format("{} on {}, {} pieces", c.expression, c.mesh, pieces));
        const Mesh mesh = parse_mesh(c.mesh);
        const LayerShape shape = shape_for(mesh, everything);
        const Arrangement at = arrange(c.expression, mesh, shape);
        LayerOptions cut;
        cut.comm_chunks = pieces;
        if (print(layer_program(shape, at.strategy, at.mesh, cut).program) ==
            print(layer_program(shape, at.strategy, at.mesh).program))
          continue;
        ++changed;
        VerifyOptions options{DType::f64, everything};
        options.comm_chunks = pieces;
        const Verification v = verify_layer(shape, at.strategy, at.mesh, options);
        EXPECT_LE(v.max_relative_error(), 1e-10);
        EXPECT_LE(v.max_replica_difference(), 1e-10);
        EXPECT_TRUE(v.bytes_match());
      }
  EXPECT_GE(changed, 60);
}

}  // namespace
}  // namespace ithaca
