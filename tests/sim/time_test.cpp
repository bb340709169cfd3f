// Timelines of small programs whose spans one can write down.
#include "sim/time.h"

#include "sim/bottleneck.h"
#include "sim/critical_path.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

/// Every kernel takes 1 s, every collective 3 s.
class ByHand : public CostModel {
 public:
  double seconds(const Program& p, const Step& step, int) const override {
    return traffic_of(p, step).wire == Wire::none ? 1 : 3;
  }
};

/// Kernels of rank 1 take 5 s.
class SlowRank : public ByHand {
 public:
  double seconds(const Program& p, const Step& step, int rank) const override {
    const double each = ByHand::seconds(p, step, rank);
    return rank == 1 && each == 1 ? 5 : each;
  }
};

Type tokens(bool split = false) {
  Type t{DType::bf16, {{DimName::L, 8}, {DimName::d, 4}}};
  if (split) t.dims[0].over = {{{0}}};
  return t;
}

Program two_gathers_and_an_add() {
  Builder b{parse_mesh("t=2")};
  const ValueId x = b.move(b.input("x", tokens(true), Role::activation), tokens());
  const ValueId y = b.move(b.input("y", tokens(true), Role::activation), tokens());
  b.output(b.add("sum", x, y));
  return std::move(b).build();
}

/// A gather beside a kernel that does not need it, then one that needs both.
Program gather_beside_a_kernel() {
  Builder b{parse_mesh("t=2")};
  const ValueId x = b.input("x", tokens(true), Role::activation),
                z = b.input("z", tokens(), Role::activation);
  const ValueId gathered = b.move(x, tokens());
  const ValueId twice = b.add("twice", z, z);
  b.output(b.add("sum", gathered, twice));
  return std::move(b).build();
}

TEST(Blocking, AddsAllStepsUp) {
  const Program p = two_gathers_and_an_add();
  const Timeline t = time(p, blocking(p), ByHand());
  EXPECT_EQ(t.end_s, 3 + 3 + 1);
  EXPECT_EQ(t.compute_s, 1);
  EXPECT_EQ(t.comm_s, 6);
  EXPECT_EQ(t.exposed_comm_s, 6);
}

TEST(Overlapped, RunsACollectiveBehindAKernelThatDoesNotNeedIt) {
  const Program p = gather_beside_a_kernel();
  const Timeline t = time(p, overlapped(p), ByHand());
  EXPECT_EQ(t.end_s, 3 + 1);
  EXPECT_EQ(t.exposed_comm_s, 2);
  EXPECT_EQ(t.spans[1].begin_s, 0);
}

/// Collectives leave kernels half of their speed.
class HalfSpeed : public ByHand {
 public:
  explicit HalfSpeed(double kernel_s) : kernel_s_(kernel_s) {}
  double seconds(const Program& p, const Step& step, int rank) const override {
    return traffic_of(p, step).wire == Wire::none ? kernel_s_ : ByHand::seconds(p, step, rank);
  }
  double leaves(const Program&, const Step&, int) const override { return 0.5; }

 private:
  double kernel_s_;
};

/// A gather of 3 s beside a kernel, then another kernel.
Timeline beside_a_gather(double kernel_s) {
  const Program p = gather_beside_a_kernel();
  return time(p, overlapped(p), HalfSpeed(kernel_s));
}

TEST(Contention, SlowsAKernelWhileACollectiveRuns) {
  const Timeline within = beside_a_gather(1);  // 2 s of the gather's 3
  EXPECT_EQ(within.spans[1].end_s, 2);
  EXPECT_EQ(within.spans[1].slowed_s, 1);
  EXPECT_EQ(within.end_s, 3 + 1);
  const Timeline beyond = beside_a_gather(5);  // 1.5 s of work in the first 3, then 3.5
  EXPECT_EQ(beyond.spans[1].end_s, 3 + 3.5);
  EXPECT_EQ(beyond.spans[1].slowed_s, 1.5);
  EXPECT_EQ(beyond.end_s, 6.5 + 5);
  EXPECT_EQ(beyond.compute_s, 10);
  EXPECT_EQ(beyond.exposed_comm_s, 1.5);
}

/// What a whole gather of `elements`, and its adjoint, leave of an H100's kernels.
std::pair<double, double> left_beside(std::int64_t elements) {
  const ClusterCost cost(load_cluster("dgx-h100"));
  Builder b{parse_mesh("t=8")};
  Type whole{DType::bf16, {{DimName::L, elements}}}, split = whole;
  split.dims[0].over = {{{0}}};
  b.output(b.move(b.input("x", split, Role::activation), whole));
  whole.partial = {{0}};
  b.output(b.move(b.input("y", whole, Role::gradient), split));
  const Program p = std::move(b).build();
  return {cost.leaves(p, p.steps()[0], 0), cost.leaves(p, p.steps()[1], 0)};
}

/// 24 channels at 360 GB/s leave (1 - 24/132) (1 - 2 x 360/3350) = 0.64.
TEST(Contention, OfAnH100IsThatOfNcclsBlocksAndBytes) {
  const auto [gather, scatter] = left_beside(std::int64_t{1} << 30);
  EXPECT_NEAR(gather, 0.64, 0.06);
  EXPECT_LT(scatter, gather);
  EXPECT_GT(scatter, 0.4);
  EXPECT_GT(left_beside(1 << 10).first, 0.9);  // one block, no bandwidth
}

/// A gather over each axis, both beside a kernel that needs neither.
TEST(Contention, OfTwoTransfersLeavesTheProductOfWhatEachLeaves) {
  Builder b{parse_mesh("r=2,t=2")};
  Type x = tokens(), y = tokens();
  x.dims[0].over = {{{0}}};
  y.dims[0].over = {{{1}}};
  const ValueId z = b.input("z", tokens(), Role::activation);
  const ValueId one = b.move(b.input("x", x, Role::activation), tokens()),
                other = b.move(b.input("y", y, Role::activation), tokens());
  const ValueId twice = b.add("twice", z, z);
  b.output(b.add("sum", b.add("both", one, other), twice));
  const Program p = std::move(b).build();
  const Timeline t = time(p, overlapped(p), HalfSpeed(1));  // 3/4 s of it done in 3 s
  EXPECT_EQ(t.spans[2].end_s, 3.25);
}

TEST(Contention, TakesNothingWhereCollectivesBlock) {
  const Program p = two_gathers_and_an_add();
  EXPECT_EQ(time(p, blocking(p), HalfSpeed(1)).end_s, 3 + 3 + 1);
}

/// x times w1 times w2 times w3, each gathered for use.
Program three_weights() {
  Builder b{parse_mesh("t=2")};
  ValueId x = b.input("x", {DType::bf16, {{DimName::L, 8}, {DimName::d, 4}}}, Role::activation);
  const Type square{DType::bf16, {{DimName::d, 4}, {DimName::i, 4}}};
  const Type back{DType::bf16, {{DimName::i, 4}, {DimName::d, 4}}};
  for (int j = 0; j < 3; ++j) {
    const Type whole = j % 2 == 0 ? square : back;
    Type flat = whole;
    flat.flat = {{0}};
    const ValueId w = b.move(b.input("w", flat, Role::weight), whole);
    x = b.einsum("x", x, w, {DimName::L, j % 2 == 0 ? DimName::i : DimName::d});
  }
  b.output(x);
  return std::move(b).build();
}

TEST(Overlapped, GathersOneWeightAheadAndNoMore) {
  const Program p = three_weights();
  class LongKernels : public CostModel {
    double seconds(const Program& program, const Step& step, int) const override {
      return traffic_of(program, step).wire == Wire::none ? 10 : 3;
    }
  };
  const Timeline t = time(p, overlapped(p), LongKernels());
  EXPECT_EQ(t.spans[0].begin_s, 0);   // w1
  EXPECT_EQ(t.spans[2].begin_s, 3);   // w2 while w1 is used
  EXPECT_EQ(t.spans[4].begin_s, 13);  // w3 while w2 is used, though its lane was free at 6
  EXPECT_EQ(t.end_s, 3 + 30);
}

TEST(Time, SimulatesOneRankWhereAllAreAlike) {
  const Program p = layer_of("ring_zigzag_zero3", 4, small_shape()).program;
  EXPECT_EQ(time(p, blocking(p), ByHand()).spans.size(), p.steps().size());
}

TEST(Time, SimulatesEveryRankWhereWorkDiffersAndAllWaitForTheSlowest) {
  const Program p = layer_of("ring_zero3", 4, small_shape()).program;
  const Timeline even = time(p, blocking(p), ByHand()), uneven = time(p, blocking(p), SlowRank());
  EXPECT_EQ(even.spans.size(), 4 * p.steps().size());
  EXPECT_EQ(uneven.end_s - even.end_s, 4 * even.compute_s);
}

TEST(Lanes, AreOneForEveryAxisBesideTheComputingOne) {
  const Program p = layer_of("usp_zero3", parse_mesh("r=2,u=2"), small_shape()).program;
  for (const Step& step : p.steps()) {
    const Traffic t = traffic_of(p, step);
    if (t.wire == Wire::none) {
      EXPECT_EQ(lane_of(p, step), 0);
    }
    if (t.wire == Wire::send_recv) {
      EXPECT_EQ(lane_of(p, step), 1);  // r
    }
    if (t.wire == Wire::all_to_all) {
      EXPECT_EQ(lane_of(p, step), 2);  // u
    }
  }
}

TEST(ClusterCost, IsWhatItsHeaderSays) {
  Cluster cluster;
  cluster.gpu.bf16_flops_per_s = 1e9;
  cluster.gpu.memory_bandwidth_bytes_per_s = 1e6;
  cluster.gpus_per_node = cluster.fast_domain_gpus = 4;
  cluster.base_latency_s = 1;
  cluster.intra = {"link", 100, 0.5, {}};
  cluster.inter = {"link", 10, 2, {}};
  const ClusterCost cost(cluster);
  const Program p = two_gathers_and_an_add();
  EXPECT_DOUBLE_EQ(cost.seconds(p, p.steps()[0], 0), 1 + 0.5 + 4 * 4 * 2 / 100.0);
  EXPECT_DOUBLE_EQ(cost.seconds(p, p.steps()[2], 0), 3 * 8 * 4 * 2 / 1e6);
  cluster.gpus_per_node = cluster.fast_domain_gpus = 1;
  EXPECT_DOUBLE_EQ(ClusterCost(cluster).seconds(p, p.steps()[0], 0), 1 + 2 + 4 * 4 * 2 / 10.0);
}

TEST(ClusterCost, OfAnAllReduceIsThatOfAScatterAndAGather) {
  Cluster cluster;
  cluster.gpu.bf16_flops_per_s = cluster.gpu.memory_bandwidth_bytes_per_s = 1;
  cluster.gpus_per_node = cluster.fast_domain_gpus = 4;
  cluster.base_latency_s = 1;
  cluster.intra = {"link", 100, 0.5, {}};
  cluster.inter = {"link", 10, 2, {}};
  Builder b{parse_mesh("t=4")};
  Type sum = tokens();
  sum.partial = {{0}};
  b.output(b.move(b.input("x", sum, Role::activation), tokens()));
  const Program p = std::move(b).build();
  EXPECT_DOUBLE_EQ(ClusterCost(cluster).seconds(p, p.steps()[0], 0),
                   1 + 6 * 0.5 + 2 * 3 * 8 * 2 / 100.0);
}

TEST(ClusterCost, OfAnAllToAllIsThatOfItsSlowerPart) {
  Cluster cluster;
  cluster.gpu.bf16_flops_per_s = cluster.gpu.memory_bandwidth_bytes_per_s = 1;
  cluster.gpus_per_node = cluster.fast_domain_gpus = 2;
  cluster.base_latency_s = 1;
  cluster.intra = {"link", 100, 0.5, {}};
  cluster.inter = {"link", 10, 2, {}};
  Builder b{parse_mesh("t=4")};
  b.output(b.move(b.input("x", tokens(true), Role::activation), Layout{{DimName::d, {{0}}}}));
  const Program p = std::move(b).build();
  // 2 4 / 4 elements to each of three peers, two of them on the other node.
  EXPECT_DOUBLE_EQ(ClusterCost(cluster).seconds(p, p.steps()[0], 0), 1 + 2 + 2 * 2 * 2 / 10.0);
}

/// Two boxes of four GPUs without NVLink: 100 B/s inside, a NIC of 40 B/s shared by the four.
Cluster two_boxes() {
  Cluster cluster;
  cluster.gpu.bf16_flops_per_s = cluster.gpu.memory_bandwidth_bytes_per_s = 1;
  cluster.gpus_per_node = 4;
  cluster.fast_domain_gpus = 1;
  cluster.base_latency_s = 1;
  cluster.intra = {"pcie", 100, 0.5, {}};
  cluster.inter = {"network", 10, 2, {}};
  cluster.nics_per_node = 1;
  cluster.nic_bytes_per_s = 40;
  return cluster;
}

Program gather_over(const char* mesh) {
  Builder b{parse_mesh(mesh)};
  const Type t{DType::bf16, {{DimName::L, 64, {{{0}}}}}, {}, {}};
  b.output(b.move(b.input("x", t, Role::activation), Layout{}));
  return std::move(b).build();
}

Program hop_over(const char* mesh, Axis axis) {
  Builder b{parse_mesh(mesh)};
  const Type t{DType::bf16, {{DimName::L, 64, {{axis}}}}, {}, {}};
  b.output(b.shift({b.input("x", t, Role::activation)}, axis, 1)[0]);
  return std::move(b).build();
}

TEST(ClusterCost, OfARingOverNodesUsesAllNicsOfANodeAndOneSlowHop) {
  const Program p = gather_over("t=8");  // 8 elements of 2 bytes to each of 7 peers
  EXPECT_DOUBLE_EQ(ClusterCost(two_boxes()).seconds(p, p.steps()[0], 0),
                   1 + 6 * 0.5 + 1 * 2 + 7 * 16 / 40.0);
}

TEST(ClusterCost, OfAHopIsAWholeNicForOneSenderAndAShareForMany) {
  const Program contiguous = hop_over("r=8", {0});  // only ranks 3 and 7 leave their box
  EXPECT_DOUBLE_EQ(ClusterCost(two_boxes()).seconds(contiguous, contiguous.steps()[0], 0),
                   1 + 2 + 16 / 40.0);
  const Program rails = hop_over("r=2,u=4", {0});  // all four of a box leave it
  EXPECT_DOUBLE_EQ(ClusterCost(two_boxes()).seconds(rails, rails.steps()[0], 0), 1 + 2 + 64 / 10.0);
}

TEST(ClusterCost, OfAnExchangeIsThatOfTheRankWithMostPeersOutside) {
  Cluster cluster = two_boxes();
  Builder b{parse_mesh("t=6")};  // ranks 4 and 5 have four of their five peers in the other box
  const Type t{DType::bf16, {{DimName::L, 6, {{{0}}}}, {DimName::d, 6, {}}}, {}, {}};
  b.output(b.move(b.input("x", t, Role::activation), Layout{{DimName::d, {{0}}}}));
  const Program p = std::move(b).build();
  EXPECT_DOUBLE_EQ(ClusterCost(cluster).seconds(p, p.steps()[0], 0), 1 + 2 + 4 * 2 / 10.0);
}

TEST(Causes, OfAMomentWithoutAKernelAreTheTransferItWaitsFor) {
  const Program p = gather_beside_a_kernel();
  const std::vector<Cause> all = causes(p, time(p, overlapped(p), HalfSpeed(1)));
  ASSERT_EQ(all.size(), 3U);  // 2 s of kernels at full speed, 1 s lost, 1 s waited
  EXPECT_EQ(all[0].name, "other kernels");
  EXPECT_EQ(all[0].seconds, 2);
  EXPECT_EQ(all[1].name, "slowed kernels");
  EXPECT_EQ(all[1].seconds, 1);
  EXPECT_TRUE(all[1].waits);
  EXPECT_EQ(all[2].name, "all_gather of activations");
  EXPECT_EQ(all[2].seconds, 1);
  EXPECT_TRUE(all[2].waits);
}

TEST(Causes, OfTransfersInARowAreEachTheirOwn) {
  Builder b{parse_mesh("r=2,t=2")};
  Type split = tokens(), half = tokens();
  split.dims[0].over = {{{0}, {1}}};
  half.dims[0].over = {{{0}}};
  const ValueId x = b.move(b.input("x", split, Role::weight), half);
  b.output(b.add("y", b.move(x, tokens()), b.input("z", tokens(), Role::activation)));
  const Program p = std::move(b).build();
  double waited_s = 0;
  for (const Cause& cause : causes(p, time(p, overlapped(p), ByHand()))) {
    EXPECT_NE(cause.name, "late ranks");
    waited_s += cause.waits ? cause.seconds : 0;
  }
  EXPECT_EQ(waited_s, 3 + 3);
}

TEST(Causes, OfRanksThatDifferAddUpToo) {
  const Program p = layer_of("ring_zero3", 4, small_shape()).program;
  const Timeline t = time(p, overlapped(p), SlowRank());
  double sum_s = 0;
  for (const Cause& cause : causes(p, t)) sum_s += cause.seconds;
  EXPECT_DOUBLE_EQ(sum_s, t.end_s);
}

/// All of a timeline's time, without gaps.
TEST(CriticalPath, LeadsFromTheBeginToTheEnd) {
  for (const char* const strategy : {"ring_zero3", "ring_zigzag_zero3", "ulysses_zero3"}) {
    const Program p = layer_of(strategy, 4, small_shape()).program;
    const Timeline t = time(p, overlapped(p), SlowRank());
    double at_s = 0;
    for (const std::size_t i : critical_path(p, t)) {
      EXPECT_EQ(t.spans[i].begin_s, at_s) << strategy;
      at_s = t.spans[i].end_s;
    }
    EXPECT_EQ(at_s, t.end_s) << strategy;
  }
}

/// A kernel that ends when its successor's operand arrives is not what that waited for.
TEST(CriticalPath, GoesThroughOperandsRatherThanTheLane) {
  class Alike : public CostModel {
   public:
    double seconds(const Program&, const ithaca::Step&, int) const override { return 3; }
  };
  Builder b{parse_mesh("t=2")};
  const ValueId gathered = b.move(b.input("x", tokens(true), Role::activation), tokens()),
                z = b.input("z", tokens(), Role::activation);
  b.output(b.add("twice", z, z));
  b.output(b.add("doubled", gathered, gathered));
  const Program p = std::move(b).build();
  EXPECT_EQ(critical_path(p, time(p, overlapped(p), Alike())), (std::vector<std::size_t>{0, 2}));
}

TEST(CriticalPath, LeavesOutWhatOthersWaitLongerThan) {
  const Program p = two_gathers_and_an_add();
  EXPECT_EQ(critical_path(p, time(p, overlapped(p), ByHand())),
            (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_TRUE(critical_path(p, {}).empty());
}

TEST(Streams, ThatAreLeftOutBlock) {
  Builder b{parse_mesh("t=2")};
  const ValueId gathered = b.move(b.input("x", tokens(true), Role::activation), tokens()),
                z = b.input("z", tokens(), Role::activation);
  b.output(b.add("sum", gathered, b.add("twice", z, z)));
  const Program p = std::move(b).build();
  EXPECT_EQ(time(p, overlapped(p), ByHand()).end_s, 3 + 1);
  EXPECT_EQ(time(p, overlapped(p, {.activations = false}), ByHand()).end_s, 3 + 1 + 1);
  const Program w = three_weights();
  const double ahead_s = time(w, overlapped(w), ByHand()).end_s;
  EXPECT_EQ(time(w, overlapped(w, {.weights = false}), ByHand()).end_s, 3 * (3 + 1));
  EXPECT_LT(ahead_s, 3 * (3 + 1));
}

}  // namespace
}  // namespace ithaca
