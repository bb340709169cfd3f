// A machine of known speeds is calibrated: what is written and read back has those speeds, between sizes and at any ranks.
#include "models/builder.h"
#include "runtime/calibrate/machine_text.h"
#include "runtime/calibrate/samples.h"
#include "sim/cost.h"

#include <gtest/gtest.h>

#include <set>

namespace ithaca {
namespace {

constexpr double launch_s = 2e-6, product_flops_per_s = 10e9, attention_flops_per_s = 4e9,
                 memory_bytes_per_s = 2e9, overhead_keys = 32, hop_s = 5e-6, link_bytes_per_s = 1e9;
constexpr int cores = 2;

/// Two cores: more ranks share them evenly.  f32 is twice as fast.
class KnownMachine : public Meter {
 public:
  double seconds(const Program& p, const Step& step, const Mesh& mesh) override {
    ++asked;
    const double share = std::max(1.0, static_cast<double>(mesh.ranks()) / cores);
    const Traffic t = traffic_of(p, step);
    if (t.wire != Wire::none)
      return hop_s * static_cast<double>(t.ranks - 1) + whole_bytes(t) / link_bytes_per_s;
    return share * (launch_s + kernel_s(p, step));
  }
  int asked = 0;

 private:
  static double kernel_s(const Program& p, const Step& step) {
    const Work work = work_of(p, step, 0);
    const double faster = p.type(step.out[0]).dtype == DType::f32 ? 2 : 1;
    if (work.matmul_flops > 0)
      return static_cast<double>(work.matmul_flops) / (product_flops_per_s * faster);
    if (work.attention_flops > 0) {
      const auto pairs = static_cast<double>(attention_pairs(p, step, 0));
      const auto tokens = static_cast<double>(p.type(step.in[0]).find(DimName::L)->size);
      return static_cast<double>(work.attention_flops) * (1 + overhead_keys * tokens / pairs) /
             (attention_flops_per_s * faster);
    }
    return static_cast<double>(work.moved_bytes) / memory_bytes_per_s;
  }
};

MachineFacts facts_of(int ranks) {
  MachineFacts facts;
  facts.name = "known";
  facts.cpu = "a CPU with \"quotes\"";
  facts.date = "2026-01-31";
  facts.build = "test";
  facts.cores = cores;
  facts.ranks = ranks;
  facts.memory_bytes = std::int64_t{8} << 30;
  return facts;
}

Cluster calibrated(int ranks) {
  KnownMachine machine;
  CalibrateOptions options;
  options.ranks = ranks;
  options.cores = cores;
  const MeasuredMachine measured = calibrate(machine, options, [](const std::string&) {});
  return parse_cluster(cluster_text(measured, facts_of(ranks)), "known.yaml");
}

/// Of a step that stands alone in its program, on so many ranks with equal work.
double predicted_s(const Cluster& cluster, const Sample& s, int ranks = 1) {
  const Mesh mesh = ranks == 1 ? Mesh{} : Mesh({{"x", ranks}});
  const Program p = isolated(s.program, s.step(), mesh, {});
  return ClusterCost(cluster).seconds(p, p.steps()[0], 0);
}

TEST(Calibrate, GivesAProductOfAnySizeItsMeasuredRate) {
  const Cluster cluster = calibrated(2);
  for (const std::int64_t n : {16, 100, 256, 1000, 4096}) {
    const double flops = 2.0 * 300 * static_cast<double>(n) * 80;
    EXPECT_NEAR(predicted_s(cluster, product_sample({300, n, 80}, Layouts::plain, DType::f64)),
                launch_s + flops / product_flops_per_s, 2e-3 * flops / product_flops_per_s)
        << n;
  }
}

TEST(Calibrate, TellsWhatAPairOfAttentionTakesFromWhatARowDoes) {
  const Cluster cluster = calibrated(1);
  KnownMachine machine;
  for (const bool backward : {false, true})
    for (const bool causal : {false, true})
      for (const std::int64_t tokens : {64, 500, 3000}) {
        const Sample s = attention_sample(tokens, 48, causal, backward, DType::f32);
        const double known_s = machine.seconds(s.program, s.step(), Mesh{});
        EXPECT_NEAR(predicted_s(cluster, s), known_s, 3e-3 * known_s) << tokens << causal;
      }
}

TEST(Calibrate, TimesEveryOtherOperationByItsBytes) {
  const Cluster cluster = calibrated(1);
  KnownMachine machine;
  for (const std::int64_t tokens : {40, 2000})
    for (const Sample& s : other_samples(tokens, DType::f64)) {
      const double known_s = machine.seconds(s.program, s.step(), Mesh{});
      EXPECT_NEAR(predicted_s(cluster, s), known_s, 0.02 * known_s + launch_s / 5)
          << measured_name(s.step().op);
    }
}

/// Four times as fast with values that a cache holds.
class CachingMachine : public KnownMachine {
 public:
  double seconds(const Program& p, const Step& step, const Mesh& mesh) override {
    const bool held = work_of(p, step, 0).moved_bytes < std::int64_t{48} << 20;
    return KnownMachine::seconds(p, step, mesh) / (held ? 4 : 1);
  }
};

TEST(Calibrate, MeasuresMemoryBeyondTheCachesHoweverQuick) {
  for (CalibrateOptions options : {CalibrateOptions{}, CalibrateOptions::quick()}) {
    CachingMachine machine;
    options.ranks = 1;
    const MeasuredMachine measured = calibrate(machine, options, [](const std::string&) {});
    EXPECT_NEAR(measured.memory_bytes_per_s, memory_bytes_per_s, 0.01 * memory_bytes_per_s);
  }
}

TEST(Calibrate, SharesTheCoresAmongMoreRanks) {
  const Cluster cluster = calibrated(8);
  const Sample s = product_sample({256, 256, 256}, Layouts::plain, DType::f64);
  const double alone_s = predicted_s(cluster, s);
  EXPECT_NEAR(predicted_s(cluster, s, 2), alone_s, 1e-3 * alone_s);
  EXPECT_NEAR(predicted_s(cluster, s, 4), 2 * alone_s, 2e-3 * alone_s);
  EXPECT_NEAR(predicted_s(cluster, s, 6), 3 * alone_s, 3e-3 * alone_s);
  EXPECT_NEAR(predicted_s(cluster, s, 16), 8 * alone_s, 8e-3 * alone_s);
}

/// Causal attention of one token block a rank: the last rank has by far the most pairs.
TEST(Calibrate, CoresThatSomeRanksLeaveOthersTake) {
  const Mesh mesh({{"r", 4}});
  const Cluster cluster = calibrated(4);
  Builder b(mesh);
  const Axis r = mesh.axis("r");
  const Dim tokens{DimName::L, 1024, {{r}}}, keys{DimName::L, 1024, {}};
  const auto input = [&](const char* name, const Dims& dims) {
    return b.input(name, {DType::f64, dims, {}, {}}, Role::activation);
  };
  const Dim one{DimName::b, 1, {}}, heads{DimName::k, 2, {}}, group{DimName::g, 1, {}},
      e{DimName::e, 64, {}};
  b.attend(input("q", {one, tokens, heads, group, e}), input("k", {one, keys, heads, e}),
           input("v", {one, keys, heads, e}), {});
  const Program p = std::move(b).build();
  const auto alone_s = [&](int rank) {
    const auto pairs = static_cast<double>(attention_pairs(p, p.steps()[0], rank));
    return 4 * 64 * 2 * (pairs + overhead_keys * 256) / attention_flops_per_s;
  };
  double all_s = 0;
  for (int rank = 0; rank < 4; ++rank) all_s += alone_s(rank);
  const double expected_s = std::max(alone_s(3), all_s / cores);
  EXPECT_GT(alone_s(3) * 2, 1.5 * expected_s) << "not as if every rank had as much as the last";
  EXPECT_NEAR(ClusterCost(cluster).seconds(p, p.steps()[0], 3), expected_s + 2 * launch_s,
              5e-3 * expected_s);
}

TEST(Calibrate, GivesCollectivesTheirMeasuredTimesByGroupAndRanksAtWork) {
  const Cluster cluster = calibrated(4);
  for (const Wire wire : {Wire::all_gather, Wire::reduce_scatter, Wire::all_reduce,
                          Wire::all_to_all, Wire::send_recv})
    for (const int members : {2, 4}) {
      const Sample s = collective_sample(wire, members, 4, std::int64_t{1} << 20);
      const double bytes = whole_bytes(traffic_of(s.program, s.step()));
      EXPECT_NEAR(ClusterCost(cluster).seconds(s.program, s.step(), 0),
                  hop_s * (members - 1) + bytes / link_bytes_per_s, 1e-6)
          << name_of(wire) << members;
    }
  EXPECT_NEAR(cluster.intra.bandwidth_bytes_per_s, 0.75 * link_bytes_per_s,
              1e-3 * link_bytes_per_s);
}

TEST(Calibrate, SaysWhereWhenAndHow) {
  const Cluster cluster = calibrated(2);
  EXPECT_EQ(cluster.name, "known");
  EXPECT_EQ(cluster.source,
            "ithaca calibrate, 2026-01-31: a CPU with \"quotes\", 2 cores, up to 2 thread ranks; "
            "medians of 1 runs; test");
  EXPECT_EQ(cluster.gpus_per_node, 2);
}

TEST(Calibrate, OfOneRankHasNoCollectives) {
  const Cluster cluster = calibrated(1);
  EXPECT_TRUE(cluster.measured_collectives.empty());
  EXPECT_EQ(levels(1), (std::vector<int>{1}));
  EXPECT_EQ(levels(6), (std::vector<int>{1, 2, 4, 6}));
}

TEST(Samples, CoverEveryOperationOfALayerTheEndsAndTheUpdate) {
  std::set<std::string> names;
  for (const Sample& s : other_samples(16, DType::f64)) names.insert(measured_name(s.step().op));
  for (const char* const name : {"add",
                                 "norm rms",
                                 "norm_grad rms",
                                 "norm layer",
                                 "norm_grad layer",
                                 "act swiglu",
                                 "act_grad swiglu",
                                 "act geglu",
                                 "act gelu",
                                 "act silu",
                                 "rope",
                                 "bias",
                                 "bias_grad",
                                 "split_qkv",
                                 "join_qkv",
                                 "merge",
                                 "embed",
                                 "embed_grad",
                                 "token_loss_grad",
                                 "adam"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(ThreadMeter, TimesAStepOnAllRanksAtOnce) {
  MeterOptions options;
  options.repeats = 1;
  options.least_s = options.together_s = 0;
  ThreadMeter meter(options);
  for (const int ranks : {1, 3}) {
    const Mesh mesh = ranks == 1 ? Mesh{} : Mesh({{"x", ranks}});
    for (const Sample& s : other_samples(16, DType::f32))
      EXPECT_GT(meter.seconds(s.program, s.step(), mesh), 0) << measured_name(s.step().op);
  }
  const Sample s = collective_sample(Wire::all_reduce, 2, 4, 4096);
  EXPECT_GT(meter.seconds(s.program, s.step(), s.program.mesh()), 0);
}

}  // namespace
}  // namespace ithaca
