// Messages between ranks, and NCCL's times as a program's collectives take them.
#include "models/error.h"
#include "sim/cost.h"
#include "sim/nccl/messages.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <numeric>

namespace ithaca {
namespace {

std::vector<int> first(int n) {
  std::vector<int> ranks(static_cast<std::size_t>(n));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

constexpr double us = 1e-6, gb = 1e9, mib = 1 << 20;

TEST(Messages, InANodeCostABaseAHopAndTheirBytes) {
  const NcclGroup node = nccl_group(load_cluster("dgx-h100"), first(8));
  EXPECT_EQ(pair_channels(node), 32);
  EXPECT_NEAR(inside_message(node, 1024, node.pair_bytes_per_s).seconds(),
              7.2 * us + 1024 / (0.97 * 370.8 * gb), 1e-12);
  EXPECT_NEAR(inside_message(node, 512 * mib, node.pair_bytes_per_s).seconds(),
              11.8 * us + 512 * mib / (0.97 * 370.8 * gb), 1e-12);
  const NcclGroup pcie = nccl_group(load_cluster("a100-pcie-4"), first(4));
  EXPECT_NEAR(inside_message(pcie, mib, pcie.pair_bytes_per_s).seconds(),
              14.1 * us + mib / (20 * gb), 1e-12);
}

TEST(Messages, OfACommunicatorOverNodesAreDrivenByTwoChannels) {
  const NcclGroup nodes = nccl_group(load_cluster("dgx-h100"), first(16));
  EXPECT_EQ(pair_channels(nodes), 2);
  EXPECT_NEAR(inside_message(nodes, 512 * mib, nodes.pair_bytes_per_s).seconds(),
              11.8 * us + 512 * mib / (2 * 20.6 * gb), 1e-12);
  EXPECT_NEAR(outside_message(nodes, mib, nodes.nic_bytes_per_s).seconds(),
              22.4 * us + mib / (48 * gb), 1e-12);
}

TEST(AllToAll, IsTheSlowerOfNvlinkAndNic) {
  const NcclGroup node = nccl_group(load_cluster("dgx-h100"), first(8));
  EXPECT_NEAR(all_to_all(node, 1024 * mib).seconds(),
              11.8 * us + 1024 * mib * 7 / 8 / (0.97 * 370.8 * gb), 1e-12);
  const NcclGroup nodes = nccl_group(load_cluster("dgx-h100"), first(32));
  EXPECT_NEAR(all_to_all(nodes, 1024 * mib).seconds(), 22.4 * us + 1024 * mib * 3 / 4 / (48 * gb),
              1e-12);
}

TEST(AllToAll, OfManyPeersTakesTurns) {
  const NcclGroup nodes = nccl_group(load_cluster("dgx-h100"), first(256));
  EXPECT_NEAR(all_to_all(nodes, 0).seconds(), (8.4 + 4 * 14) * us, 1e-12);  // 255 peers, 64 at once
}

Program hop_over(const char* mesh, Axis axis) {
  Builder b{parse_mesh(mesh)};
  const Type t{DType::bf16, {{DimName::L, 1 << 20, {{axis}}}, {DimName::d, 64, {}}}, {}, {}};
  b.output(b.shift({b.input("x", t, Role::activation)}, axis, 1)[0]);
  return std::move(b).build();
}

double first_step_s(const Cluster& cluster, const Program& p) {
  return ClusterCost(cluster).seconds(p, p.steps()[0], 0);
}

TEST(NcclHops, OfARingInOrderUseOneNicANodeAndOfRailsTheirShares) {
  const Cluster cluster = load_cluster("polaris");  // 4 GPUs, 2 NICs of 25 GB/s a node
  const double bytes = 64.0 * 2 * (1 << 20);
  EXPECT_NEAR(first_step_s(cluster, hop_over("r=8", {0})), 22.4 * us + bytes / 8 / (24 * gb), 1e-9);
  EXPECT_NEAR(first_step_s(cluster, hop_over("r=2,u=4", {0})), 22.4 * us + bytes / 2 / (12.5 * gb),
              1e-9);
}

TEST(NcclHops, InsideANodeAreNvlinks) {
  EXPECT_NEAR(first_step_s(load_cluster("dgx-h100"), hop_over("r=8", {0})),
              11.8 * us + 64.0 * 2 * (1 << 20) / 8 / (0.97 * 370.8 * gb), 1e-9);
}

Program gather_over(const char* mesh, Axis axis) {
  Builder b{parse_mesh(mesh)};
  const Type t{DType::bf16, {{DimName::L, 1 << 20, {{axis}}}, {DimName::d, 64, {}}}, {}, {}};
  b.output(b.move(b.input("x", t, Role::activation), Layout{}));
  return std::move(b).build();
}

TEST(NcclCollectives, OfAStepAreNcclsOwn) {
  const Cluster cluster = load_cluster("dgx-h100");
  const Program p = gather_over("t=8", {0});
  const NcclTime expected = NcclModel(nccl_group(cluster, first(8)))
                                .time(NcclCollective::all_gather, 64.0 * 2 * (1 << 20));
  EXPECT_DOUBLE_EQ(first_step_s(cluster, p), expected.seconds());
  const std::optional<NcclTime> chosen = ClusterCost(cluster).nccl_time(p, p.steps()[0], 0);
  ASSERT_TRUE(chosen.has_value());
  EXPECT_EQ(chosen->algorithm, NcclAlgorithm::ring);
  EXPECT_EQ(chosen->channels, 24);
}

/// Four rings through two NICs get as much together as one ring of all ranks.
TEST(NcclCollectives, OfGroupsBesideOneAnotherShareTheirNics) {
  const Cluster cluster = load_cluster("polaris");
  const double rails = first_step_s(cluster, gather_over("r=2,u=4", {0}));
  const double whole = 64.0 * 2 * (1 << 20);
  EXPECT_GT(rails, whole / 2 / (12.5 * gb));
  Cluster eight = cluster;
  eight.box.clear();  // drawn from the numbers
  eight.nics_per_node = 4;
  eight.inter.bandwidth_bytes_per_s = 25 * gb;
  EXPECT_LT(first_step_s(eight, gather_over("r=2,u=4", {0})), 0.7 * rails);
}

TEST(NcclCollectives, OfAMeasuredGroupAreItsCurveAndOthersOfItsLinksAreCalibrated) {
  const Cluster cluster = load_cluster("dgx-h100");
  CollectiveTable twice;
  twice.collective = "reduce_scatter";
  twice.gpus = 8;
  const NcclModel model(nccl_group(cluster, first(8)));
  for (double bytes = 1 << 20; bytes < 1e10; bytes *= 2)
    twice.points.push_back(
        {bytes, 2 * model.time(NcclCollective::reduce_scatter, bytes).seconds()});
  const ClusterCost measured(cluster, measurements(cluster, {twice}));
  const Program gather = gather_over("t=8", {0});
  EXPECT_NEAR(measured.seconds(gather, gather.steps()[0], 0), 2 * first_step_s(cluster, gather),
              1e-6 * us);
  twice.collective = "all_gather";
  twice.points = {{1e6, 1}, {1e9, 1}};
  const ClusterCost flat(cluster, measurements(cluster, {twice}));
  EXPECT_DOUBLE_EQ(flat.seconds(gather, gather.steps()[0], 0), 1);
  EXPECT_EQ(flat.nccl_time(gather, gather.steps()[0], 0)->algorithm, NcclAlgorithm::ring);
  twice.nodes = 2;
  EXPECT_THROW(measurements(cluster, {twice}), InputError);
}

TEST(GroupShape, CountsNodesMembersAndDomains) {
  const Cluster cluster = load_cluster("dgx-h100");
  EXPECT_EQ(group_shape(cluster, {0, 8, 16}), (GroupShape{3, 3, 1, 1, false, 1}));
  EXPECT_EQ(group_shape(cluster, {0, 1, 2, 8}), (GroupShape{4, 2, 1, 3, false, 3}));
  EXPECT_EQ(group_shape(load_cluster("gb200-nvl72"), first(72)),
            (GroupShape{72, 1, 72, 72, false, 72}));
  const Cluster pairs = load_cluster("a100-pcie-8-bridged");
  EXPECT_FALSE(group_shape(pairs, {2, 3}).across_domains);
  EXPECT_TRUE(group_shape(pairs, {1, 2}).across_domains);
  EXPECT_EQ(nccl_group(pairs, std::vector{2, 3}).inside, NcclHop::nvlink);
  EXPECT_EQ(nccl_group(pairs, std::vector{1, 2}).inside, NcclHop::pcie);
}

}  // namespace
}  // namespace ithaca
