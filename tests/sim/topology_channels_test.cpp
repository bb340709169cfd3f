#include "sim/topology/group_route.h"

#include <gtest/gtest.h>

#include <numeric>

namespace ithaca {
namespace {

// NCCL 2.28.9 src/graph/search.cc, GB/s.
const std::vector<double> sm80_intra = {40e9, 30e9, 20e9, 18e9, 15e9, 12e9, 10e9,
                                        9e9,  7e9,  6e9,  5e9,  4e9,  3e9};
const std::vector<double> sm90_intra = {60e9, 50e9, 40e9, 30e9, 24e9, 20e9,
                                        15e9, 12e9, 11e9, 6e9,  3e9};
const std::vector<double> sm100_intra = {90e9, 80e9, 70e9, 60e9, 50e9, 40e9,
                                         30e9, 24e9, 20e9, 19e9, 18e9};
const std::vector<double> sm80_inter = {48e9, 30e9,  28e9,  24e9,  20e9, 18e9, 15e9,
                                        12e9, 10e9,  9e9,   7e9,   6e9,  5e9,  4e9,
                                        3e9,  2.4e9, 1.2e9, .24e9, .12e9};
const std::vector<double> sm90_inter = {48e9, 45e9, 42e9, 40e9, 30e9,  24e9,  22e9,  20e9, 17.5e9,
                                        15e9, 12e9, 6e9,  3e9,  2.4e9, 1.2e9, .24e9, .12e9};

std::vector<int> first(int n) {
  std::vector<int> ranks(static_cast<std::size_t>(n));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

void expect(const Topology& t, int n, const std::vector<double>& speeds, int sm, int count,
            double gb_per_s) {
  const Channels found = ring_channels(t, place_of(t, first(n)), speeds, sm);
  EXPECT_EQ(found.count, count);
  EXPECT_NEAR(found.bandwidth_bytes_per_s, gb_per_s * 1e9, 1e3);
}

// What NCCL 2.28.9's own search answered for such machines.
TEST(Channels, AreThoseThatNcclFinds) {
  const Topology a100 = topology_of(load_cluster("dgx-a100-80g")),
                 h100 = topology_of(load_cluster("dgx-h100")),
                 b200 = topology_of(load_cluster("dgx-b200"));
  expect(a100, 8, sm80_intra, 80, 12, 20);
  expect(h100, 2, sm90_intra, 90, 12, 30);
  expect(h100, 4, sm90_intra, 90, 12, 30);
  expect(h100, 8, sm90_intra, 90, 12, 30);
  expect(b200, 8, sm100_intra, 100, 16, 45);
  expect(h100, 16, sm90_inter, 90, 8, 48);
  expect(h100, 32, sm90_inter, 90, 8, 48);
  expect(h100, 128, sm90_inter, 90, 8, 48);
  Cluster slow = load_cluster("dgx-h100");
  slow.nic_bytes_per_s = slow.inter.bandwidth_bytes_per_s = 25e9;
  expect(topology_of(slow), 32, sm90_inter, 90, 8, 24);
}

TEST(Channels, OfAPcieBoxWithIntelSocketsIsOneOfTwenty) {
  Cluster pcie = load_cluster("a100-pcie-4");
  pcie.nics_per_node = 4;
  pcie.nic_bytes_per_s = 12.5e9;
  pcie.sockets = Sockets{2, 22e9, 1.2};
  expect(topology_of(pcie), 4, sm80_intra, 80, 1, 20);
}

TEST(Channels, OfSingleGpusOnTenGigabitIsOneOfTheNearestSpeed) {
  Cluster single = load_cluster("a100-pcie-4");
  single.gpus_per_node = single.fast_domain_gpus = 1;
  single.nic_bytes_per_s = single.inter.bandwidth_bytes_per_s = 1.25e9;
  expect(topology_of(single), 4, sm80_inter, 80, 1, 1.2);
}

TEST(Channels, OfAGroupOfOneAreNone) {
  const Topology t = topology_of(load_cluster("dgx-h100"));
  EXPECT_EQ(ring_channels(t, place_of(t, {5}), sm90_intra, 90).count, 0);
}

TEST(Channels, WhereNothingFitsIsOneAsFastAsTheLinks) {
  const Topology t = topology_of(load_cluster("a100-pcie-4"));
  const Channels found = ring_channels(t, place_of(t, first(4)), std::vector<double>{48e9}, 80);
  EXPECT_EQ(found.count, 1);
  EXPECT_NEAR(found.bandwidth_bytes_per_s, 20e9, 0.03e9);
}

TEST(Channels, DoNotDependOnTheOrderOfRanks) {
  const Topology t = topology_of(load_cluster("dgx-h100"));
  const Channels found = ring_channels(t, place_of(t, {0, 8, 1, 9, 2, 10}), sm90_inter, 90),
                 sorted = ring_channels(t, place_of(t, {0, 1, 2, 8, 9, 10}), sm90_inter, 90);
  EXPECT_EQ(found.count, 6);  // three of 48 GB/s, doubled
  EXPECT_EQ(found.count, sorted.count);
  EXPECT_EQ(found.bandwidth_bytes_per_s, sorted.bandwidth_bytes_per_s);
}

TEST(GroupRoute, SaysHowTheGroupIsJoined) {
  const Topology t = topology_of(load_cluster("dgx-h100"));
  const GroupRoute inside = route(t, place_of(t, first(4))),
                   across = route(t, place_of(t, {0, 1, 2, 8}));
  EXPECT_EQ(inside.intra, HopType::nvlink);
  EXPECT_DOUBLE_EQ(inside.nvswitch_bytes_per_s, 370.8e9);
  EXPECT_FALSE(inside.inter.has_value());
  EXPECT_EQ(inside.nic_bytes_per_s, 0);
  EXPECT_EQ(across.inter, HopType::pix);
  EXPECT_DOUBLE_EQ(across.nic_bytes_per_s, 48e9);
  EXPECT_EQ(across.nic_sets, 1);  // the box with one rank has one
}

TEST(GroupRoute, OfAMeshHasNoSwitch) {
  const Topology t = topology_of(load_cluster("polaris"));
  const GroupRoute group = route(t, place_of(t, first(8)));
  EXPECT_EQ(group.intra, HopType::nvlink);
  EXPECT_EQ(group.nvswitch_bytes_per_s, 0);
  EXPECT_DOUBLE_EQ(group.pair_bytes_per_s, 80e9);
  EXPECT_EQ(group.inter, HopType::phb);
}

TEST(GroupRoute, PcieBoxesAreJoinedThroughOneSocketOrSeveral) {
  Cluster pcie = load_cluster("a100-pcie-8");
  const Topology one = topology_of(pcie);
  EXPECT_EQ(route(one, place_of(one, first(8))).intra, HopType::phb);
  pcie.sockets = Sockets{2, 10e9, 1};
  const Topology two = topology_of(pcie);
  EXPECT_EQ(route(two, place_of(two, first(4))).intra, HopType::phb);
  EXPECT_EQ(route(two, place_of(two, first(8))).intra, HopType::sys);
  EXPECT_DOUBLE_EQ(route(two, place_of(two, first(8))).pair_bytes_per_s, 10e9);
}

}  // namespace
}  // namespace ithaca
