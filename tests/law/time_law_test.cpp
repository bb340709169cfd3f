// What must hold of predicted times whatever the strategy.
#include "sim/count.h"
#include "sim/time.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace ithaca {
namespace {

/// Two nodes of four GPUs; half of the ranks of eight lie behind the slow link.
Cluster two_nodes() {
  Cluster cluster;
  cluster.name = "two nodes";
  cluster.gpu.bf16_flops_per_s = 1e12;
  cluster.gpu.memory_bandwidth_bytes_per_s = 1e11;
  cluster.gpus_per_node = cluster.fast_domain_gpus = 4;
  cluster.base_latency_s = 1e-6;
  cluster.intra = {"fast", 1e10, 1e-6, {}};
  cluster.inter = {"slow", 1e9, 5e-6, {}};
  return cluster;
}

/// The same with the kernels of an H100, in proportion to its peak.
Cluster with_kernels(Cluster cluster) {
  cluster.gpu.kernels = load_kernels("H100-SXM5-80GB");
  return cluster;
}

/// Sums over up to a thousand spans differ in the last bits.
constexpr double rounding = 1 + 1e-12;

std::string name_of(const Case& c) {
  return c.expression + " on " + c.mesh;
}

double end_s(const Program& p, const Schedule& schedule, const Cluster& cluster) {
  return time(p, schedule, ClusterCost(cluster)).end_s;
}

void expect_never_grows_with_a_bandwidth(const Cluster& base) {
  std::vector<Cluster> faster(4, base);
  faster[0].gpu.bf16_flops_per_s *= 2;
  faster[1].gpu.memory_bandwidth_bytes_per_s *= 2;
  faster[2].intra.bandwidth_bytes_per_s *= 2;
  faster[3].inter.bandwidth_bytes_per_s *= 2;
  for (const Case& c : all_cases()) {
    const Program p = layer_of(c).program;
    for (const Schedule& schedule : {blocking(p), overlapped(p)}) {
      const double before = end_s(p, schedule, base);
      for (const Cluster& cluster : faster)
        EXPECT_LE(end_s(p, schedule, cluster), before * rounding) << name_of(c);
    }
  }
}

TEST(Time, NeverGrowsWithABandwidth) {
  expect_never_grows_with_a_bandwidth(two_nodes());
  expect_never_grows_with_a_bandwidth(with_kernels(two_nodes()));
}

TEST(Time, NeverGrowsWhenALatencyShrinks) {
  Cluster quick = two_nodes();
  quick.base_latency_s = quick.intra.latency_s = quick.inter.latency_s = 0;
  for (const Case& c : all_cases()) {
    const Program p = layer_of(c).program;
    EXPECT_LT(end_s(p, overlapped(p), quick), end_s(p, overlapped(p), two_nodes()) * rounding)
        << name_of(c);
  }
}

TEST(Time, IsNoShorterThanTheBusiestLane) {
  for (const Case& c : all_cases()) {
    const Program p = layer_of(c).program;
    const Timeline t = time(p, overlapped(p), ClusterCost(two_nodes()));
    std::map<std::pair<int, int>, double> busy;
    for (const Span& span : t.spans) busy[{span.rank, span.lane}] += span.end_s - span.begin_s;
    for (const auto& [lane, busy_s] : busy) EXPECT_LE(busy_s, t.end_s * rounding) << name_of(c);
    EXPECT_LE(t.compute_s, t.end_s * rounding) << name_of(c);
    EXPECT_GE(t.exposed_comm_s, -t.end_s * 1e-12) << name_of(c);
  }
}

/// The longest chain of steps, each of which reads what the one before it made.
double critical_path_s(const Program& p, const CostModel& cost) {
  std::vector<double> ready(p.values().size(), 0);
  double longest = 0;
  for (const Step& step : p.steps()) {
    double begin = 0;
    for (const ValueId v : step.in) begin = std::max(begin, ready[v]);
    const double end = begin + cost.seconds(p, step, 0);
    for (const ValueId v : step.out) ready[v] = end;
    longest = std::max(longest, end);
  }
  return longest;
}

TEST(Time, IsNoShorterOverlappedThanItsCriticalPathNorLongerThanBlocking) {
  for (const Case& c : all_cases())
    for (const bool recompute : {false, true}) {
      const Program p = layer_of(c, small_shape(), {.recompute = recompute}).program;
      const Cluster cluster = recompute ? with_kernels(two_nodes()) : two_nodes();
      const ClusterCost cost(cluster);
      if (symmetric(p)) {
        EXPECT_GE(time(p, overlapped(p), cost).end_s * rounding, critical_path_s(p, cost))
            << name_of(c);
      }
      EXPECT_LE(end_s(p, overlapped(p), cluster), end_s(p, blocking(p), cluster) * rounding)
          << name_of(c);
    }
}

TEST(Time, BlockingOnSymmetricRanksIsTheSumOfItsSteps) {
  for (const Case& c : all_cases()) {
    const Program p = layer_of(c).program;
    if (!symmetric(p)) continue;
    const ClusterCost cost(two_nodes());
    double sum = 0;
    for (const Step& step : p.steps()) sum += cost.seconds(p, step, 0);
    EXPECT_NEAR(time(p, blocking(p), cost).end_s, sum, sum * 1e-12) << name_of(c);
  }
}

/// Transfers take nothing from kernels.
class Apart : public ClusterCost {
 public:
  using ClusterCost::ClusterCost;
  double leaves(const Program&, const Step&, int) const override { return 1; }
};

/// Nodes of four GPUs joined by NCCL.
TEST(Time, ByNcclIsNoLongerOverlappedThanBlocking) {
  for (const char* const name : {"polaris", "dgx-h100"}) {
    const Cluster cluster = load_cluster(name);
    for (const Case& c : all_cases()) {
      const Program p = layer_of(c).program;
      const double overlapped_s = end_s(p, overlapped(p), cluster);
      EXPECT_LE(overlapped_s, end_s(p, blocking(p), cluster) * rounding) << name_of(c);
      EXPECT_GE(overlapped_s * rounding, time(p, overlapped(p), Apart(cluster)).end_s)
          << name_of(c);
      if (symmetric(p)) {
        EXPECT_GE(overlapped_s * rounding, critical_path_s(p, ClusterCost(cluster))) << name_of(c);
      }
    }
  }
}

/// Faster links may be driven by more channels, each of which takes an SM from kernels: that is left out.
TEST(Time, ByNcclNeverGrowsWithABandwidth) {
  const Cluster cluster = load_cluster("polaris");
  Cluster inside = cluster, outside = cluster;
  inside.intra.bandwidth_bytes_per_s *= 2;
  outside.inter.bandwidth_bytes_per_s *= 2;
  outside.nic_bytes_per_s *= 2;
  for (const Case& c : all_cases()) {
    const Program p = layer_of(c).program;
    const double overlapped_s = time(p, overlapped(p), Apart(cluster)).end_s;
    for (const Cluster& faster : {inside, outside})
      EXPECT_LE(time(p, overlapped(p), Apart(faster)).end_s, overlapped_s * rounding) << name_of(c);
  }
}

TEST(Spans, OfOneLaneOfOneRankDoNotOverlap) {
  for (const Case& c : all_cases()) {
    const Program p = layer_of(c).program;
    for (const Schedule& schedule : {blocking(p), overlapped(p)}) {
      std::map<std::pair<int, int>, double> free_s;
      for (const Span& span : time(p, schedule, ClusterCost(two_nodes())).spans) {
        EXPECT_GE(span.begin_s, (free_s[{span.rank, span.lane}])) << name_of(c);
        free_s[{span.rank, span.lane}] = span.end_s;
      }
    }
  }
}

TEST(Spans, BeginAfterTheirOperands) {
  for (const Case& c : all_cases()) {
    const Program p = layer_of(c).program;
    std::map<std::pair<int, ValueId>, double> ready;
    for (const Span& span : time(p, overlapped(p), ClusterCost(two_nodes())).spans) {
      const Step& step = p.steps()[span.step];
      for (const ValueId v : step.in)
        EXPECT_GE(span.begin_s, (ready[{span.rank, v}])) << name_of(c);
      for (const ValueId v : step.out) ready[{span.rank, v}] = span.end_s;
    }
  }
}

/// Pairs of ranks of one group that begin a collective at different times, and all pairs.
std::pair<int, int> late_and_all(const Program& p, const Timeline& t) {
  std::map<std::pair<std::uint32_t, int>, double> begin_s;
  for (const Span& span : t.spans) begin_s[{span.step, span.rank}] = span.begin_s;
  int late = 0, pairs = 0;
  for (const Span& span : t.spans)
    for (const int peer : p.mesh().group(span.rank, traffic_of(p, p.steps()[span.step]).axes)) {
      const auto other = begin_s.find({span.step, peer});
      if (peer == span.rank || other == begin_s.end())
        continue;  // one that is like another is left out
      ++pairs;
      late += other->second != span.begin_s ? 1 : 0;
    }
  return {late, pairs};
}

TEST(Spans, OfRanksThatDifferBeginTheirCollectivesTogether) {
  for (const Case& c : all_cases()) {
    const Program p = layer_of(c).program;
    const auto [late, pairs] = late_and_all(p, time(p, overlapped(p), ClusterCost(two_nodes())));
    EXPECT_EQ(late, 0) << name_of(c);
    EXPECT_EQ(pairs > 0, !symmetric(p)) << name_of(c);
  }
}

}  // namespace
}  // namespace ithaca
