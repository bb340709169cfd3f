// Gathers and scatters in pieces: the same bytes and products, of whole steps of every strategy, and less time.
#include "models/passes/chunk.h"
#include "models/step.h"
#include "sim/memory.h"
#include "sim/step.h"
#include "sim/time.h"
#include "tests/messages.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace ithaca {
namespace {

Program step_of(const Case& c, StepOptions options, std::int64_t pieces) {
  const LayerShape shape = small_shape();
  const Arrangement at = arrange(c.expression, parse_mesh(c.mesh), shape);
  options.vocabulary_multiple = 1;
  options.layer.comm_chunks = pieces;
  return micro_batch({{{shape, at.strategy, 4}}, 80, false}, at.mesh, options).program;
}

std::vector<StepOptions> variants() {
  std::vector<StepOptions> all(5);
  all[0].unrolled = true;
  all[1].layer.accumulate = true;
  all[2].layer.recompute = true;
  all[2].layer.mlp_tiles = 3;
  all[3].layer.recompute.norm = all[3].layer.recompute.act = true;
  all[3].bucket_elements = 1'000'000;
  all[4].layer.kernels.gate_apart = true;
  all[4].layer.adapter_rank = 2;
  return all;
}

/// In order, and what is wanted outside is as it was.
void expect_sound(const Program& p, const Program& before) {
  expect_order(p);
  ASSERT_EQ(p.outputs(), before.outputs());
  for (const ValueId v : p.outputs()) EXPECT_EQ(p.type(v), before.type(v)) << p[v].name;
}

TEST(Chunk, LeavesBytesAndProducts) {
  for (const Case& c : all_cases())
    for (const StepOptions& options : variants())
      for (const std::int64_t pieces : {2, 5, 64}) {
        SCOPED_TRACE(fmt::format("{} on {}, {} pieces", c.expression, c.mesh, pieces));
        const Program whole = step_of(c, options, 1), cut = step_of(c, options, pieces);
        expect_sound(cut, whole);
        const auto a = sent_by(whole), b = sent_by(cut);
        ASSERT_EQ(a.size(), b.size());
        for (const auto& [stream, sent] : a) {
          EXPECT_EQ(b.at(stream).bytes, sent.bytes);
          EXPECT_GE(b.at(stream).launches, sent.launches);
        }
        EXPECT_EQ(count(whole).flops(), count(cut).flops());
      }
}

/// Of a layer that is split by tokens: into attention and the MLP, and out of them, forward; the two cotangents that
/// products wait for, backward; and into the head.  What q, k and v read is gathered for all three at once.
TEST(Chunk, CutsWhatProductsWaitFor) {
  const auto more = [](const char* expression, const char* mesh, const StepOptions& options) {
    const Case c{expression, mesh};
    return launches(step_of(c, options, 3)) - launches(step_of(c, options, 1));
  };
  EXPECT_EQ(more("tp_sp", "t=4", {}), (4 * (4 + 2) + 1) * (3 - 1));
  EXPECT_EQ(more("odysseus_zero3", "t=4", {}), 4 * (2 + 1) * (3 - 1));
  // An all-reduce of each half; backward the sum of q's, k's and v's cotangents is no product's.
  EXPECT_EQ(more("tp", "t=4", {}), 4 * 2 * (3 - 1));
  for (const char* const none : {"ulysses_zero3", "data_zero3"})
    EXPECT_EQ(more(none, none[0] == 'u' ? "u=4" : "p=4", {}), 0) << none;
}

TEST(Chunk, HoldsNoMoreThanCopiesOfWhatItCutsOut) {
  for (const Case& c : all_cases())
    for (const StepOptions& options : variants()) {
      const Program whole = step_of(c, options, 1), cut = step_of(c, options, 4);
      std::int64_t widest = 0;
      for (ValueId v = 0; v < whole.values().size(); ++v)
        widest = std::max(widest, local_bytes(whole.type(v), whole.mesh()));
      EXPECT_LE(memory(cut).peak_bytes, memory(whole).peak_bytes + 2 * widest)
          << c.expression << " on " << c.mesh;
    }
}

double layer_s(const LayerShape& shape, const char* cluster, std::int64_t pieces, bool overlap) {
  LayerOptions options;
  options.comm_chunks = pieces;
  const Layer layer = layer_of("tp_sp", 8, shape, options);
  const ClusterCost cost{load_cluster(cluster)};
  const Schedule schedule = overlap ? overlapped(layer.program) : blocking(layer.program);
  return time(layer.program, schedule, cost).end_s;
}

/// Where links are slow, pieces hide most of what was exposed; blocking, they only cost copies and launches.
TEST(Chunk, TakesLessTimeOverlappedAndMoreBlocking) {
  const LayerShape shape = llama3_8b(16384);
  for (const char* const cluster : {"l40s-8", "a100-pcie-8", "rtx4090-8"}) {
    EXPECT_LT(layer_s(shape, cluster, 4, true), layer_s(shape, cluster, 1, true)) << cluster;
    EXPECT_GT(layer_s(shape, cluster, 4, false), layer_s(shape, cluster, 1, false)) << cluster;
  }
}

}  // namespace
}  // namespace ithaca
