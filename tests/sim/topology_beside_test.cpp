// What groups leave one another of the links they share.
#include "sim/cost.h"
#include "sim/topology/beside.h"
#include "sim/topology/flows.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ithaca {
namespace {

constexpr double gb = 1e9;

std::vector<int> first(int n) {
  std::vector<int> ranks(static_cast<std::size_t>(n));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

GroupPlace over(const Topology& t, const char* mesh, const AxisList& axes) {
  return place_of(t, parse_mesh(mesh), axes, 0);
}

Topology fabric(std::int64_t leaf_gpus, double oversubscription, std::int64_t rails) {
  Cluster cluster = load_cluster("dgx-h100");
  cluster.fabric = {leaf_gpus, oversubscription, rails};
  return topology_of(cluster);
}

TEST(GroupPlace, OfAnAxisIsOneKindOfBoxHoweverManyThereAre) {
  const Topology t = topology_of(load_cluster("dgx-h100"));
  const GroupPlace place = over(t, "r=512,u=8", {{0}});
  EXPECT_EQ(place.ranks, 512);
  EXPECT_EQ(place.boxes, 512);
  ASSERT_EQ(place.kinds.size(), 1U);
  EXPECT_EQ(place.kinds[0].size(), 8U);
  EXPECT_EQ(place.kinds[0].front(), Members{0});
  EXPECT_EQ(over(t, "d=64,u=8", {{1}}), over(t, "u=8", {{0}}));
}

TEST(RingShare, OfGroupsThatShareNoLinkIsAll) {
  const Topology t = topology_of(load_cluster("dgx-h100"));
  EXPECT_DOUBLE_EQ(ring_share(t, over(t, "r=4,u=8", {{0}}), 2, 24 * gb), 1);
  EXPECT_DOUBLE_EQ(ring_share(t, over(t, "r=2,u=4", {{1}}), 6, 60 * gb), 1);
}

TEST(RingShare, OfGroupsOnOneNicIsTheirPart) {
  const Topology t = topology_of(load_cluster("aws-p4d"));  // a NIC for each two GPUs
  EXPECT_NEAR(ring_share(t, over(t, "r=2,u=8", {{0}}), 1, 12.5 * gb), 0.5, 1e-9);
  EXPECT_NEAR(ring_share(t, place_of(t, {0, 8}), 1, 12.5 * gb), 1, 1e-9);
}

TEST(RingShare, OfGroupsAcrossTwoSocketsIsTheirPartOfWhatJoinsThem) {
  const Topology t = topology_of(load_cluster("l20-8"));
  EXPECT_NEAR(ring_share(t, over(t, "r=2,u=4", {{0}}), 1, 10 * gb), 0.25, 1e-9);
  EXPECT_NEAR(ring_share(t, over(t, "r=2,u=4", {{1}}), 1, 20 * gb), 1, 1e-9);
}

TEST(RingShare, OfGroupsThatLeaveAPodIsTheirPartOfItsUplinks) {
  const Topology thin = fabric(32, 4, 1), wide = fabric(32, 1, 1);
  EXPECT_NEAR(ring_share(wide, over(wide, "r=8,u=8", {{0}}), 2, 24 * gb), 1, 1e-9);
  // Eight rings of 48 of the 1600 GB/s that go up: not yet too much at 4:1, but at 8:1.
  EXPECT_NEAR(ring_share(thin, over(thin, "r=8,u=8", {{0}}), 2, 24 * gb), 1, 1e-9);
  const Topology thinner = fabric(32, 8, 1);
  EXPECT_NEAR(ring_share(thinner, over(thinner, "r=8,u=8", {{0}}), 2, 24 * gb), 200.0 / 384, 1e-9);
  EXPECT_NEAR(ring_share(thinner, over(thinner, "r=4,u=8", {{0}}), 2, 24 * gb), 1, 1e-9);
}

TEST(RingShare, OnRailsHangsOnEachRailAlone) {
  const Topology t = fabric(32, 8, 8);
  EXPECT_NEAR(ring_share(t, over(t, "r=8,u=8", {{0}}), 2, 24 * gb), 25.0 / 48, 1e-9);
}

/// Groups alone: the same as when every flow is routed.
TEST(ExchangeRate, OfAGroupAloneIsThatOfItsFlows) {
  for (const std::string& name : cluster_names()) {
    const Topology t = topology_of(load_cluster(name));
    for (const int n : {2, 4, 8, 16, 64}) {
      if (n > t.gpus() && n % t.gpus() != 0) continue;
      const ExchangeRate rate = exchange_rate(t, place_of(t, first(n)));
      const double flows = all_to_all(t, first(n)).bandwidth_bytes_per_s;
      EXPECT_NEAR(std::min(rate.nvlink_bytes_per_s, rate.other_bytes_per_s) / flows, 1, 1e-9)
          << name << n;
    }
  }
}

TEST(ExchangeRate, OverTwoSocketsIsBoundByWhatJoinsThem) {
  const Topology t = topology_of(load_cluster("l20-8"));
  // Four ranks send half of what they have each.
  EXPECT_NEAR(exchange_rate(t, place_of(t, first(8))).other_bytes_per_s, 10 * gb / 2, 1);
  EXPECT_NEAR(exchange_rate(t, place_of(t, first(4))).other_bytes_per_s, 24 / 1.2 * gb * 4 / 3, 1);
  EXPECT_NEAR(exchange_rate(t, over(t, "r=2,u=4", {{1}})).other_bytes_per_s, 24 / 1.2 * gb * 4 / 3,
              1);
  // Four groups of two, one rank in each socket.
  EXPECT_NEAR(exchange_rate(t, over(t, "r=2,u=4", {{0}})).other_bytes_per_s, 10 * gb / 2, 1);
}

TEST(ExchangeRate, OverAThinSpineIsBoundByTheUplinksOfAllGroups) {
  const Topology thin = fabric(32, 8, 1);
  // Of 64 ranks each sends half over the spine: 32 halves a pod through 200 GB/s.
  EXPECT_NEAR(exchange_rate(thin, place_of(thin, first(64))).other_bytes_per_s, 200 * gb / 16, 1);
  EXPECT_NEAR(exchange_rate(thin, over(thin, "r=8,u=8", {{0}})).other_bytes_per_s, 200 * gb / 16,
              1);
  EXPECT_NEAR(exchange_rate(thin, place_of(thin, first(32))).other_bytes_per_s, 48 * gb * 4 / 3, 1);
}

TEST(ShiftRate, OfOneRingIsThatOfItsSlowestHop) {
  for (const std::string& name : cluster_names()) {
    const Topology t = topology_of(load_cluster(name));
    for (const int n : {2, 4, 8, 16, 72}) {
      const ShiftRate rate = shift_rate(t, Mesh({{"r", n}}), {0}, 0);
      double inside = std::numeric_limits<double>::infinity(), leaving = inside;
      for (const Hop& hop : ring_hops(t, first(n)))
        (hop.leaves_box ? leaving : inside) =
            std::min(hop.leaves_box ? leaving : inside, hop.bandwidth_bytes_per_s);
      if (std::isfinite(inside)) {
        EXPECT_NEAR(rate.inside_bytes_per_s / inside, 1, 1e-9) << name << n;
      }
      if (std::isfinite(leaving)) {
        EXPECT_NEAR(rate.leaving_bytes_per_s / leaving, 1, 1e-9) << name << n;
      }
    }
  }
}

TEST(ShiftRate, HangsOnTheOrderOfTheMesh) {
  const Topology t = topology_of(load_cluster("l20-8"));
  const auto slowest = [&](const char* mesh, std::uint8_t axis) {
    return shift_rate(t, parse_mesh(mesh), {axis}, 0).inside_bytes_per_s;
  };
  EXPECT_NEAR(slowest("r=8", 0), 10 * gb, 1);          // one hop from socket to socket each way
  EXPECT_NEAR(slowest("r=2,u=4", 0), 10 * gb / 4, 1);  // four at once
  EXPECT_NEAR(slowest("u=4,r=2", 1), 20 * gb, 1);      // none
}

TEST(ShiftRate, OfManyRingsThroughAThinSpineIsTheirPart) {
  const Topology t = fabric(32, 8, 1);
  EXPECT_NEAR(shift_rate(t, parse_mesh("r=8,u=8"), {0}, 0).leaving_bytes_per_s, 200 * gb / 8, 1);
  EXPECT_NEAR(shift_rate(t, parse_mesh("r=64"), {0}, 0).leaving_bytes_per_s, 48 * gb, 1);
}

Program exchange_over(const char* mesh, Axis axis) {
  Builder b{parse_mesh(mesh)};
  const Type t{DType::bf16, {{DimName::L, 1 << 20, {{axis}}}, {DimName::d, 64, {}}}, {}, {}};
  b.output(b.move(b.input("x", t, Role::activation), Layout{{DimName::d, {{axis}}}}));
  return std::move(b).build();
}

TEST(ClusterCost, OfUlyssesOverTwoSocketsIsDearerThanWithinOne) {
  const auto seconds = [](const Cluster& cluster, const char* mesh, Axis axis) {
    const Program p = exchange_over(mesh, axis);
    return ClusterCost(cluster).seconds(p, p.steps()[0], 0);
  };
  const Cluster l20 = load_cluster("l20-8");
  Cluster one_socket = l20;
  one_socket.sockets.reset();
  const double bytes = 64.0 * 2 * (1 << 20);
  EXPECT_NEAR(seconds(l20, "u=8", {0}), 14.1e-6 + bytes / 8 / (5 * gb), 1e-9);
  EXPECT_NEAR(seconds(one_socket, "u=8", {0}), 14.1e-6 + bytes / 8 * 7 / 8 / (20 * gb), 1e-9);
  EXPECT_DOUBLE_EQ(seconds(l20, "r=2,u=4", {1}), seconds(one_socket, "r=2,u=4", {1}));
}

}  // namespace
}  // namespace ithaca
