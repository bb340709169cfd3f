// What run() does equals what count() and memory() say and what one rank computes, for every
// strategy.
#include "runtime/run.h"

#include "models/catalog.h"
#include "models/error.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/threads/thread_communicator.h"
#include "runtime/verify.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

enum class Heads { mha, gqa, few_kv };

LayerShape tiny(Heads heads) {
  LayerShape n;
  n.b = 2;
  n.L = 32;
  n.d = 16;
  n.e = 4;
  n.i = 32;
  n.k = heads == Heads::few_kv ? 2 : 8;
  n.g = heads == Heads::mha ? 1 : 4;
  return n;
}

LayerShape with_everything(Heads heads) {
  LayerShape n = tiny(heads);
  n.norm = Norm::layer;
  n.act = Act::gelu;
  n.fused_qkv = n.qkv_bias = n.o_bias = n.mlp_bias = true;
  return n;
}

/// A mesh with the head axes rep and kv last, as few KV heads need them; other axes before.
struct Place {
  Place(const LayerShape& shape, int degree, std::vector<Mesh::Extent> before = {})
      : mesh(extents(shape, degree, std::move(before))),
        heads{{mesh.axis("rep")}, {mesh.axis("kv")}} {}
  static std::vector<Mesh::Extent> extents(const LayerShape& shape, int degree,
                                           std::vector<Mesh::Extent> list) {
    const int kv = static_cast<int>(std::min<std::int64_t>(shape.k, degree));
    list.push_back({"rep", degree / kv});
    list.push_back({"kv", kv});
    return list;
  }
  Axis axis(const char* name) const { return mesh.axis(name); }
  AxisList all() const {
    AxisList axes;
    for (const Mesh::Extent& extent : mesh.extents()) axes.push_back(mesh.axis(extent.name));
    return axes;
  }
  Mesh mesh;
  HeadAxes heads;
};

std::string describe(const Verification& v) {
  std::string text;
  for (const Comparison& t : v.tensors)
    if (!(t.max_relative_error <= 1e-10) || !(t.replica_difference <= 1e-10))
      text += t.name + ": error " + std::to_string(t.max_relative_error) + ", replicas " +
              std::to_string(t.replica_difference) + "\n";
  for (const SentComparison& s : v.sent)
    if (s.predicted.sent_bytes != s.measured_bytes)
      text += s.predicted.tensor + ": counted " + std::to_string(s.predicted.sent_bytes) +
              " B, sent " + std::to_string(s.measured_bytes) + " B\n";
  for (const LiveComparison& l : v.live)
    if (l.predicted_bytes != l.measured_bytes)
      text += l.program + ": planned " + std::to_string(l.predicted_bytes) + " B, held " +
              std::to_string(l.measured_bytes) + " B\n";
  return text;
}

void expect_as_one_rank(const LayerShape& shape, const Strategy& strategy, const Mesh& mesh,
                        const VerifyOptions& options = {}) {
  const Verification v = verify_layer(shape, strategy, mesh, options);
  EXPECT_TRUE(v.bytes_match()) << describe(v);
  EXPECT_LE(v.max_relative_error(), 1e-10) << describe(v);
  EXPECT_LE(v.max_replica_difference(), 1e-10) << describe(v);
  EXPECT_GT(v.tensors.size(), 8U);
  std::int64_t counted = 0, sent = 0;
  for (const SentComparison& s : v.sent) counted += s.predicted.sent_bytes;
  for (const std::int64_t bytes : v.sent_bytes_to.front()) sent += bytes;
  EXPECT_EQ(sent, counted);
}

/// MHA, GQA and few KV heads; gated without biases and LayerNorm with everything; with and without
/// recompute.
template <class StrategyOf>
void for_heads(std::initializer_list<int> degrees, const StrategyOf& strategy_of,
               const std::vector<Mesh::Extent>& before = {}) {
  for (const Heads heads : {Heads::mha, Heads::gqa, Heads::few_kv})
    for (const int degree : degrees)
      for (const bool everything : {false, true}) {
        SCOPED_TRACE(testing::Message() << "heads " << static_cast<int>(heads) << " degree "
                                        << degree << " everything " << everything);
        const LayerShape shape = everything ? with_everything(heads) : tiny(heads);
        const Place place(shape, degree, before);
        expect_as_one_rank(shape, strategy_of(place), place.mesh, {DType::f64, everything});
      }
}

TEST(Run, TensorParallelEqualsOneRank) {
  for_heads({1, 2, 4, 8}, [](const Place& p) { return tp(p.heads); });
}

TEST(Run, TensorParallelWithSplitSequenceEqualsOneRank) {
  for_heads({2, 4, 8}, [](const Place& p) { return tp_sp(p.heads); });
}

TEST(Run, UlyssesEqualsOneRank) {
  for_heads({2, 4, 8}, [](const Place& p) { return ulysses(p.heads, ddp()); });
  for_heads({2, 4, 8}, [](const Place& p) { return ulysses(p.heads, zero3(p.all())); });
}

TEST(Run, OdysseusEqualsOneRank) {
  for_heads({2, 4, 8}, [](const Place& p) { return odysseus(p.heads); });
}

TEST(Run, RingEqualsOneRank) {
  for (const Deal deal : {Deal::blocks, Deal::zigzag, Deal::stripes})
    for (const int degree : {2, 4, 8, 16}) {
      SCOPED_TRACE(testing::Message() << name_of(deal) << " " << degree);
      const Mesh mesh({{"r", degree}});
      const Axis r = mesh.axis("r");
      expect_as_one_rank(tiny(Heads::gqa), ring(r, deal, zero3({r})), mesh);
      expect_as_one_rank(with_everything(Heads::few_kv), ring(r, deal, ddp()), mesh,
                         {DType::f64, true});
    }
}

TEST(Run, HomingRingEqualsOneRank) {
  for (const Deal deal : {Deal::blocks, Deal::zigzag, Deal::stripes})
    for (const int degree : {2, 4, 8, 16}) {
      SCOPED_TRACE(testing::Message() << name_of(deal) << " " << degree);
      const Mesh mesh({{"r", degree}});
      const Axis r = mesh.axis("r");
      expect_as_one_rank(tiny(Heads::gqa), ring_homing(r, deal, zero3({r})), mesh,
                         {DType::f64, true});
      expect_as_one_rank(with_everything(Heads::mha), ring_homing(r, deal, ddp()), mesh);
    }
}

TEST(Run, DoubleRingEqualsOneRank) {
  for (const Deal deal : {Deal::blocks, Deal::zigzag, Deal::stripes})
    for (const char* const ranks : {"o=2,i=2", "o=2,i=4", "o=4,i=2", "o=4,i=4"}) {
      SCOPED_TRACE(testing::Message() << name_of(deal) << " " << ranks);
      const Mesh mesh = parse_mesh(ranks);
      const Axis o = mesh.axis("o"), i = mesh.axis("i");
      expect_as_one_rank(tiny(Heads::gqa), double_ring(o, i, deal, zero3({o, i})), mesh);
      expect_as_one_rank(with_everything(Heads::few_kv), double_ring(o, i, deal, ddp()), mesh,
                         {DType::f64, true});
      expect_as_one_rank(tiny(Heads::gqa), double_ring_homing(o, i, deal, zero3({o, i})), mesh,
                         {DType::f64, true});
      expect_as_one_rank(with_everything(Heads::mha), double_ring_homing(o, i, deal, ddp()), mesh);
    }
}

TEST(Run, RingOnThreeAxesEqualsOneRank) {
  const Mesh mesh = parse_mesh("a=2,b=2,c=2");
  const AxisList axes{mesh.axis("a"), mesh.axis("b"), mesh.axis("c")};
  for (const bool homing : {false, true}) {
    Strategy s = local(axes, Deal::zigzag, zero3(axes));
    s.attention.ring = Ring{axes, homing};
    expect_as_one_rank(tiny(Heads::gqa), s, mesh);
  }
}

TEST(Run, GatheredKeysEqualOneRank) {
  for (const Deal deal : {Deal::blocks, Deal::zigzag, Deal::stripes})
    for (const int degree : {2, 4, 8}) {
      SCOPED_TRACE(testing::Message() << name_of(deal) << " " << degree);
      const Mesh mesh({{"c", degree}});
      const Axis c = mesh.axis("c");
      expect_as_one_rank(tiny(Heads::gqa), kv_gather(c, deal, zero3({c})), mesh);
      expect_as_one_rank(with_everything(Heads::mha), kv_gather(c, deal, ddp()), mesh,
                         {DType::f64, true});
    }
}

TEST(Run, UnifiedSequenceParallelEqualsOneRank) {
  for (const Deal deal : {Deal::blocks, Deal::zigzag, Deal::stripes}) {
    SCOPED_TRACE(name_of(deal));
    const auto strategy = [deal](const Place& p) {
      return usp(p.heads, p.axis("r"), deal, zero3(p.all()));
    };
    for_heads({2, 4}, strategy, {{"r", 2}});
    for_heads({2}, strategy, {{"r", 4}});
  }
}

TEST(Run, DataAndZeroEqualOneRank) {
  for (const bool flat : {false, true}) {
    const Mesh mesh({{"data", 2}});
    const AxisList axes{mesh.axis("data")};
    expect_as_one_rank(tiny(Heads::gqa), data(axes, flat ? zero3(axes) : ddp()), mesh);
    expect_as_one_rank(with_everything(Heads::few_kv), data(axes, flat ? zero3(axes) : ddp()), mesh,
                       {DType::f64, true});
  }
}

TEST(Run, ASingleSampleEqualsOneRank) {
  LayerShape shape = with_everything(Heads::gqa);
  shape.b = 1;
  const Place place(shape, 4);
  for (const Strategy& s : {tp(place.heads), tp_sp(place.heads), odysseus(place.heads),
                            ulysses(place.heads, zero3(place.all()))})
    expect_as_one_rank(shape, s, place.mesh);
}

TEST(Run, RingAroundTensorParallelEqualsOneRank) {
  for (const Deal deal : {Deal::blocks, Deal::zigzag, Deal::stripes})
    for_heads({2, 4},
              [deal](const Place& p) { return ring(p.axis("r"), deal, ddp()) * tp_sp(p.heads); },
              {{"r", 2}});
}

TEST(Run, GatheredKeysAroundUlyssesEqualOneRank) {
  for_heads({2, 4},
            [](const Place& p) {
              return kv_gather(p.axis("c"), Deal::zigzag, zero3(p.all())) * ulysses(p.heads, ddp());
            },
            {{"c", 2}});
}

TEST(Run, DataAroundSequenceParallelEqualsOneRank) {
  const std::vector<Mesh::Extent> before{{"data", 2}};
  const auto samples = [](const Place& p) { return data({p.axis("data")}, ddp()); };
  for_heads(
      {2, 4}, [&](const Place& p) { return samples(p) * ulysses(p.heads, zero3(p.all())); },
      before);
  for_heads(
      {2, 4}, [&](const Place& p) { return samples(p) * tp(p.heads); }, before);
  for_heads(
      {4}, [&](const Place& p) { return samples(p) * odysseus(p.heads); }, before);
  for_heads(
      {2},
      [&](const Place& p) {
        return data({p.axis("data")}, zero3({p.axis("data")})) * tp_sp(p.heads);
      },
      before);
}

TEST(Run, FourAxesAtOnceEqualOneRank) {
  const LayerShape shape = with_everything(Heads::few_kv);
  const Place place(shape, 4, {{"data", 2}, {"r", 2}});
  expect_as_one_rank(shape,
                     data({place.axis("data")}, ddp()) *
                         usp(place.heads, place.axis("r"), Deal::zigzag, zero3(place.all())),
                     place.mesh, {DType::f64, true});
}

TEST(Run, MixedHalvesEqualOneRank) {
  for_heads({2, 4, 8},
            [](const Place& p) { return ulysses(p.heads, zero3(p.all())) | tp_sp(p.heads); });
  for_heads({2, 4, 8},
            [](const Place& p) { return tp_sp(p.heads) | local(p.all(), Deal::blocks, ddp()); });
}

TEST(Run, FlatShardsThatRoundUpEqualOneRank) {
  LayerShape shape =
      tiny(Heads::mha);  // every weight has a number of elements that 3 does not divide
  shape.L = 24;
  const Mesh mesh({{"r", 3}});
  const Axis r = mesh.axis("r");
  expect_as_one_rank(shape, ring(r, Deal::zigzag, zero3({r})), mesh);
  expect_as_one_rank(
      shape, kv_gather(r, Deal::zigzag, ddp()) | local({r}, Deal::zigzag, zero3({r})), mesh);
}

TEST(Run, QkNormsAndPostNormsAndParallelResidualEqualOneRank) {
  LayerShape shape = tiny(Heads::gqa);
  shape.qk_norm = shape.post_norms = true;
  LayerShape neox = with_everything(Heads::mha);
  neox.parallel_residual = true;
  for (const LayerShape& n : {shape, neox}) {
    const Place place(n, 4);
    for (const bool recompute : {false, true}) {
      expect_as_one_rank(n, tp(place.heads), place.mesh, {DType::f64, recompute});
      expect_as_one_rank(n, tp_sp(place.heads), place.mesh, {DType::f64, recompute});
      expect_as_one_rank(n, ulysses(place.heads, zero3(place.all())), place.mesh,
                         {DType::f64, recompute});
    }
  }
}

TEST(Run, SinglePrecisionHasTheSameEventsAndSmallErrors) {
  const LayerShape shape = tiny(Heads::gqa);
  const Place place(shape, 4);
  const Verification v = verify_layer(shape, odysseus(place.heads), place.mesh, {DType::f32});
  EXPECT_TRUE(v.bytes_match()) << describe(v);
  EXPECT_LE(v.max_relative_error(), 1e-4);
  EXPECT_GT(v.max_relative_error(), 0);
}

TEST(Run, TimelineHasEveryStepOfEveryRankFromZeroOn) {
  const LayerShape shape = tiny(Heads::gqa);
  const Place place(shape, 2);
  const Verification v = verify_layer(shape, tp_sp(place.heads), place.mesh);
  const Layer layer = layer_program(shape, tp_sp(place.heads), place.mesh);
  EXPECT_EQ(v.timeline.spans.size(), 2 * layer.program.steps().size());
  double first = 1e9;
  for (const Span& span : v.timeline.spans) {
    first = std::min(first, span.begin_s);
    EXPECT_LE(span.begin_s, span.end_s);
    EXPECT_LE(span.end_s, v.timeline.end_s);
    EXPECT_EQ(span.lane, lane_of(layer.program, layer.program.steps()[span.step]));
  }
  EXPECT_EQ(first, 0);
  EXPECT_GT(v.timeline.compute_s, 0);
  EXPECT_GT(v.timeline.comm_s, 0);
}

// ---- failures
// --------------------------------------------------------------------------------------------

TEST(Run, RefusesAMeshOfAnotherNumberOfRanks) {
  const LayerShape shape = tiny(Heads::gqa);
  const Place place(shape, 2);
  const Layer layer = layer_program(shape, tp(place.heads), place.mesh, {false, true, DType::f64});
  CpuDevice device;
  EXPECT_THROW(run_ranks(4,
                         [&](ThreadCommunicator& c) {
                           run_rank(layer.program, device, c,
                                    [](ValueId) { return std::vector<std::byte>(); });
                         }),
               EnvironmentError);
}

TEST(Run, RefusesRanksWithDifferentPrograms) {
  const LayerShape shape = tiny(Heads::gqa);
  const Place place(shape, 2);
  const Layer a = layer_program(shape, tp(place.heads), place.mesh, {false, true, DType::f64});
  const Layer b = layer_program(shape, tp_sp(place.heads), place.mesh, {false, true, DType::f64});
  CpuDevice device;
  EXPECT_THROW(run_ranks(2,
                         [&](ThreadCommunicator& c) {
                           run_rank((c.rank() == 0 ? a : b).program, device, c,
                                    [](ValueId) -> std::vector<std::byte> {
                                      throw std::logic_error("ran");
                                    });
                         }),
               EnvironmentError);
}

TEST(Run, AnErrorOnOneRankEndsAllOfThem) {
  const LayerShape shape = tiny(Heads::gqa);
  const Place place(shape, 4);
  const Layer layer =
      layer_program(shape, tp_sp(place.heads), place.mesh, {false, true, DType::f64});
  CpuDevice device;
  const auto work = [&](ThreadCommunicator& c) {
    run_rank(layer.program, device, c, [&](ValueId v) {
      if (c.rank() == 3 && v == layer.program.inputs().back())
        throw InputError("weights", "expected a file");
      return slice_of(numbers_for(layer.program, v), layer.program.type(v), place.mesh, c.rank());
    });
  };
  EXPECT_THROW(run_ranks(4, work), InputError);
}

}  // namespace
}  // namespace ithaca
