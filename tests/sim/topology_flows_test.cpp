#include "sim/topology/flows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <queue>
#include <random>

namespace ithaca {
namespace {

std::vector<int> first(int n) {
  std::vector<int> ranks(static_cast<std::size_t>(n));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

/// 0 and 8, 1 and 9 ...
std::vector<int> alternating(int n) {
  std::vector<int> ranks;
  for (int i = 0; i < n / 2; ++i) {
    ranks.push_back(i);
    ranks.push_back(i + n / 2);
  }
  return ranks;
}

Topology fabric(std::int64_t leaf_gpus, double oversubscription, std::int64_t rails) {
  Cluster cluster = load_cluster("dgx-h100");
  cluster.fabric = {leaf_gpus, oversubscription, rails};
  return topology_of(cluster);
}

TEST(Flows, AGroupOfOneIsFree) {
  const Topology t = topology_of(load_cluster("dgx-h100"));
  for (const Routed& routed : {ring(t, {3}), all_to_all(t, {3})}) {
    EXPECT_TRUE(std::isinf(routed.bandwidth_bytes_per_s));
    EXPECT_EQ(routed.latency_s, 0);
    EXPECT_EQ(routed.hops_leaving_box, 0);
    EXPECT_EQ(routed.bottleneck, "");
  }
  EXPECT_TRUE(ring_hops(t, {3}).empty());
}

TEST(Flows, ARingOfANodeRunsAtTheRateOfNvlink) {
  const Topology t = topology_of(load_cluster("dgx-h100"));
  const Routed routed = ring(t, first(8));
  EXPECT_DOUBLE_EQ(routed.bandwidth_bytes_per_s, 370.8e9);
  EXPECT_DOUBLE_EQ(routed.latency_s, 3.4e-6);
  EXPECT_EQ(routed.bottleneck, "node 0: GPU 0 to NVSwitch 0");
  EXPECT_EQ(routed.hops_leaving_box, 0);
}

TEST(Flows, AContiguousRingLeavesEachNodeOnceThroughOneNic) {
  const Topology t = topology_of(load_cluster("dgx-h100"));
  const Routed routed = ring(t, first(32));
  EXPECT_EQ(routed.hops_leaving_box, 4);
  EXPECT_DOUBLE_EQ(routed.bandwidth_bytes_per_s, 48e9);  // PCIe gen 5 x16, below the NIC's 50
  EXPECT_DOUBLE_EQ(routed.latency_s, 14e-6);
}

TEST(Flows, AnOrderThatAlternatesNodesIsSlowerThanAContiguousOne) {
  // Four GPUs behind one NIC: contiguous hands it one flow, alternating four.
  const Topology t = topology_of(load_cluster("a100-pcie-4"));
  const Routed contiguous = ring(t, first(8)), alternate = ring(t, alternating(8));
  EXPECT_EQ(contiguous.hops_leaving_box, 2);
  EXPECT_EQ(alternate.hops_leaving_box, 8);
  EXPECT_DOUBLE_EQ(contiguous.bandwidth_bytes_per_s, 12.5e9);
  EXPECT_DOUBLE_EQ(alternate.bandwidth_bytes_per_s, 12.5e9 / 4);
  EXPECT_EQ(alternate.bottleneck, "node 0: NIC 0 to leaf 0");
}

TEST(Flows, TwoFlowsOnANicGetHalfOfItEach) {
  const Topology t = topology_of(load_cluster("aws-p4d"));  // a NIC for each two GPUs
  EXPECT_DOUBLE_EQ(ring(t, {0, 8}).bandwidth_bytes_per_s, 12.5e9);
  EXPECT_DOUBLE_EQ(ring(t, {0, 8, 2, 10}).bandwidth_bytes_per_s, 12.5e9);
  EXPECT_DOUBLE_EQ(ring(t, {0, 8, 1, 9}).bandwidth_bytes_per_s, 12.5e9 / 2);
}

TEST(Flows, AHopOffTheSharedLinkKeepsItsBandwidth) {
  const Topology t = topology_of(load_cluster("aws-p4d"));
  const std::vector<Hop> hops = ring_hops(t, {0, 1, 9, 8});
  ASSERT_EQ(hops.size(), 4U);
  EXPECT_FALSE(hops[0].leaves_box);
  EXPECT_DOUBLE_EQ(hops[0].bandwidth_bytes_per_s, 240e9);
  EXPECT_TRUE(hops[1].leaves_box);
  EXPECT_DOUBLE_EQ(hops[1].bandwidth_bytes_per_s, 12.5e9);
  EXPECT_EQ(hops[0].type, HopType::nvlink);
  EXPECT_EQ(hops[1].type, HopType::pix);
}

TEST(Flows, AnOversubscribedSpineSlowsOnlyGroupsThatCrossLeaves) {
  const Topology thin = fabric(32, 4, 1), wide = fabric(32, 1, 1);
  const std::vector<int> inside = first(32), across = first(64);
  EXPECT_EQ(all_to_all(thin, inside).bandwidth_bytes_per_s,
            all_to_all(wide, inside).bandwidth_bytes_per_s);
  EXPECT_LT(all_to_all(thin, across).bandwidth_bytes_per_s,
            0.6 * all_to_all(wide, across).bandwidth_bytes_per_s);
  EXPECT_EQ(all_to_all(thin, across).bottleneck, "pod 0: leaf to spine on rail 0");
  // One flow at a time over the uplinks of 32 NICs: a ring does not notice.
  EXPECT_EQ(ring(thin, across).bandwidth_bytes_per_s, ring(wide, across).bandwidth_bytes_per_s);
}

TEST(Flows, OnRailsTheSenderHandsOverToThePeerOnTheReceiversRail) {
  const Topology t = fabric(32, 1, 8);
  EXPECT_EQ(t.ways_out(0, 0).front().type, HopType::pix);
  EXPECT_EQ(t.ways_out(0, 5).front().type, HopType::pxn);
  const std::vector<Hop> hops = ring_hops(t, {0, 13});
  EXPECT_EQ(hops[0].type, HopType::pxn);
  EXPECT_DOUBLE_EQ(hops[0].latency_s, 14e-6 + 3.4e-6);
  EXPECT_EQ(ring_hops(t, {0, 8})[0].type, HopType::pix);
}

/// All routes one by one on the graph of several boxes, by a plain breadth-first search.
class Full {
 public:
  Full(const Topology& t, std::int64_t boxes)
      : g_(whole_graph(t, boxes)), gpus_(all_of(g_, Part::gpu)) {}

  double bandwidth(const std::vector<std::pair<int, int>>& flows, double bytes) const {
    std::map<std::pair<std::size_t, std::size_t>, double> load;
    for (const auto& [from, to] : flows)
      for (const auto& hop : path(gpu(from), gpu(to))) load[hop] += bytes;
    double slowest = 0;
    for (const auto& [hop, carried] : load) {
      double width = 0;
      for (const auto& e : boost::make_iterator_range(boost::out_edges(hop.first, g_)))
        if (boost::target(e, g_) == hop.second)
          width = std::max(width, g_[e].bandwidth_bytes_per_s);
      slowest = std::max(slowest, carried / width);
    }
    return 1 / slowest;
  }

 private:
  std::size_t gpu(int rank) const { return gpus_[static_cast<std::size_t>(rank)]; }

  /// Fewest edges, then widest; forwarded by anything but GPUs.
  std::vector<std::pair<std::size_t, std::size_t>> path(std::size_t from, std::size_t to) const {
    std::vector<int> depth(boost::num_vertices(g_), -1);
    std::vector<double> width(depth.size());
    std::vector<std::size_t> before(depth.size());
    std::queue<std::size_t> open;
    depth[from] = 0;
    width[from] = 1e99;
    open.push(from);
    while (!open.empty()) {
      const std::size_t at = open.front();
      open.pop();
      if (at != from && g_[at].part == Part::gpu) continue;
      for (const auto& e : boost::make_iterator_range(boost::out_edges(at, g_))) {
        const std::size_t next = boost::target(e, g_);
        const double here = std::min(width[at], g_[e].bandwidth_bytes_per_s);
        if (depth[next] == -1) open.push(next);
        if (depth[next] != -1 && (depth[next] != depth[at] + 1 || here <= width[next])) continue;
        depth[next] = depth[at] + 1;
        width[next] = here;
        before[next] = at;
      }
    }
    std::vector<std::pair<std::size_t, std::size_t>> hops;
    for (std::size_t at = to; at != from; at = before[at]) hops.emplace_back(before[at], at);
    return hops;
  }

  Graph g_;
  std::vector<std::size_t> gpus_;
};

std::vector<std::pair<int, int>> ring_flows(const std::vector<int>& ranks) {
  std::vector<std::pair<int, int>> flows;
  for (std::size_t i = 0; i < ranks.size(); ++i)
    flows.emplace_back(ranks[i], ranks[(i + 1) % ranks.size()]);
  return flows;
}

std::vector<std::pair<int, int>> all_flows(const std::vector<int>& ranks) {
  std::vector<std::pair<int, int>> flows;
  for (const int a : ranks)
    for (const int b : ranks)
      if (a != b) flows.emplace_back(a, b);
  return flows;
}

TEST(Flows, OneBoxForAllAnswersAsTheGraphOfAllBoxes) {
  Cluster p4d = load_cluster("aws-p4d"), pcie = load_cluster("a100-pcie-4"),
          bridged = load_cluster("a100-pcie-8-bridged");
  pcie.cpu = bridged.cpu = HostCpu::amd;  // peers pay nothing at the socket
  p4d.fabric = {16, 3, 1};
  pcie.fabric = {8, 2, 1};
  std::mt19937 random(7);
  for (const Cluster& cluster : {load_cluster("dgx-h100"), bridged, p4d, pcie}) {
    const Topology t = topology_of(cluster);
    const int boxes = 4, gpus = static_cast<int>(t.gpus()) * boxes;
    const Full full(t, boxes);
    for (int size = 2; size <= gpus; size += 3) {
      std::vector<int> ranks = first(gpus);
      std::shuffle(ranks.begin(), ranks.end(), random);
      ranks.resize(static_cast<std::size_t>(size));
      EXPECT_NEAR(ring(t, ranks).bandwidth_bytes_per_s / full.bandwidth(ring_flows(ranks), 1), 1,
                  1e-9)
          << cluster.name << ' ' << size;
      EXPECT_NEAR(
          all_to_all(t, ranks).bandwidth_bytes_per_s / full.bandwidth(all_flows(ranks), 1.0 / size),
          1, 1e-9)
          << cluster.name << ' ' << size;
    }
  }
}

TEST(Flows, OfSixteenThousandRanksAreRouted) {
  const Topology t = fabric(256, 2, 8);
  const Routed shift = ring(t, first(16384)), exchange = all_to_all(t, first(16384));
  EXPECT_EQ(shift.hops_leaving_box, 2048);
  EXPECT_EQ(exchange.hops_leaving_box, 16384LL * 16376);
  EXPECT_DOUBLE_EQ(shift.bandwidth_bytes_per_s, 48e9);
}

TEST(Flows, OfAll131072RanksAreRouted) {
  const Topology t = fabric(256, 2, 8);
  EXPECT_EQ(ring(t, first(131072)).hops_leaving_box, 16384);
  EXPECT_GT(all_to_all(t, first(131072)).bandwidth_bytes_per_s, 0);
}

}  // namespace
}  // namespace ithaca
