#include "sim/topology/topology.h"

#include "models/error.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

TEST(Topology, EveryPresetIsDrawn) {
  for (const std::string& name : cluster_names()) {
    const Cluster cluster = load_cluster(name);
    const Topology t = topology_of(cluster);
    EXPECT_EQ(t.gpus(), cluster.island_gpus()) << name;
    EXPECT_EQ(t.rails(), 1) << name;
    EXPECT_TRUE(is_connected(t.box())) << name;
    for (std::int64_t i = 0; i < t.gpus(); ++i) EXPECT_FALSE(t.ways_out(i, 0).empty()) << name;
  }
}

TEST(Topology, TwoGpusOfANodeGetTheLinkOfTheClusterFile) {
  for (const std::string& name : cluster_names()) {
    const Cluster cluster = load_cluster(name);
    const Topology t = topology_of(cluster);
    for (int peer = 1; peer < t.gpus(); ++peer) {
      const Link& link = cluster.link(0, peer);
      const Path& path = t.path(0, peer);
      if (path.type == HopType::sys) continue;  // what joins sockets is slower
      const double mesh = cluster.intra.kind == "nvlink-mesh" ? double(t.gpus() - 1) : 1;
      EXPECT_DOUBLE_EQ(path.bandwidth_bytes_per_s * path.cost, link.bandwidth_bytes_per_s / mesh)
          << name;
      EXPECT_DOUBLE_EQ(t.path(0, peer).latency_s, link.latency_s) << name << peer;
    }
  }
}

TEST(Topology, DgxH100HasANicBesideEveryGpu) {
  const Topology t = topology_of(load_cluster("dgx-h100"));
  EXPECT_EQ(all_of(t.box(), Part::nvswitch).size(), 1U);
  EXPECT_EQ(all_of(t.box(), Part::pcie_switch).size(), 8U);
  EXPECT_EQ(all_of(t.box(), Part::nic).size(), 8U);
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(t.ways_out(i, 0).size(), 1U);
    EXPECT_EQ(t.ways_out(i, 0).front().type, HopType::pix);
    EXPECT_EQ(t.name_of(t.ways_out(i, 0).front().arcs.back()),
              "NIC " + std::to_string(i) + " to leaf 0");
  }
}

TEST(Topology, FourNicsOfAGpuShareItsTraffic) {
  const Topology t = topology_of(load_cluster("aws-p5"));
  EXPECT_EQ(t.ways_out(5, 0).size(), 4U);
}

/// Two GPUs on NVLink, a NIC beside the first only; the second would go through its socket.
TEST(Topology, ANicBehindTheSocketIsReachedThroughTheNvlinkPeerBesideIt) {
  Graph g;
  const std::size_t a = add_part(g, Part::gpu), b = add_part(g, Part::gpu),
                    near = add_part(g, Part::pcie_switch), far = add_part(g, Part::pcie_switch),
                    cpu = add_part(g, Part::socket), nic = add_part(g, Part::nic),
                    leaf = add_part(g, Part::leaf);
  join(g, a, near, {Medium::pcie, 24e9});
  join(g, nic, near, {Medium::pcie, 24e9});
  join(g, b, far, {Medium::pcie, 24e9});
  join(g, near, cpu, {Medium::pcie, 24e9});
  join(g, far, cpu, {Medium::pcie, 24e9});
  join(g, nic, leaf, {Medium::network, 25e9});
  const Topology without(g, "box");
  EXPECT_EQ(without.ways_out(1, 0).front().type, HopType::phb);
  join(g, a, b, {Medium::nvlink, 100e9});
  const Topology with(g, "box");
  EXPECT_EQ(with.ways_out(0, 0).front().type, HopType::pix);
  EXPECT_EQ(with.ways_out(1, 0).front().type, HopType::pxn);
  EXPECT_EQ(with.name_of(with.ways_out(1, 0).front().arcs.front()), "GPU 1 to GPU 0");
}

TEST(Topology, OfFewestEdgesTheWidestIsTaken) {
  Graph g;
  const std::size_t a = add_part(g, Part::gpu), slow = add_part(g, Part::pcie_switch),
                    fast = add_part(g, Part::nvswitch), b = add_part(g, Part::gpu);
  join(g, a, slow, {Medium::pcie, 24e9});
  join(g, slow, b, {Medium::pcie, 24e9});
  join(g, a, fast, {Medium::nvlink, 240e9});
  join(g, fast, b, {Medium::nvlink, 240e9});
  EXPECT_EQ(paths_from(g, a)[b].bandwidth_bytes_per_s, 240e9);
  EXPECT_EQ(paths_from(g, b)[a].type, HopType::nvlink);
}

TEST(Topology, GpusDoNotForwardForOthers) {
  Graph g;
  const std::size_t a = add_part(g, Part::gpu), b = add_part(g, Part::gpu),
                    c = add_part(g, Part::gpu);
  join(g, a, b, {Medium::nvlink, 50e9});
  join(g, b, c, {Medium::nvlink, 50e9});
  EXPECT_TRUE(paths_from(g, a)[c].arcs.empty());
  try {
    const Topology t(g, "chain");
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "chain: expected a path between every two GPUs, got none between GPU 0 and GPU 2, "
                 "join them by NVLink, PCIe or sockets");
  }
}

}  // namespace
}  // namespace ithaca
