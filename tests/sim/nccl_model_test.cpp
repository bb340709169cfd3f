// NCCL 2.28.9's own predictions for nodes of two Intel sockets with a GPU and a NIC under each PCIe switch: what its
// tuner logs for hand-written topology files.
#include "models/data_dir.h"
#include "models/error.h"
#include "models/yaml.h"
#include "sim/nccl/model.h"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fstream>
#include <numeric>

namespace ithaca {
namespace {

using enum NcclAlgorithm;
using enum NcclProtocol;
constexpr auto gather = NcclCollective::all_gather, scatter = NcclCollective::reduce_scatter,
               reduce = NcclCollective::all_reduce;

std::vector<int> first(int n) {
  std::vector<int> ranks(static_cast<std::size_t>(n));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

Cluster intel(const char* preset) {
  Cluster cluster = load_cluster(preset);
  cluster.cpu = HostCpu::intel;
  return cluster;
}

NcclModel model_of(const Cluster& cluster, int ranks) {
  return NcclModel(nccl_group(cluster, first(ranks)));
}
NcclModel h100(int ranks) {
  return model_of(load_cluster("dgx-h100"), ranks);
}

/// Microseconds and GB/s within 1 %, or half of the last digit that NCCL prints where that is more.
void expect_line(const NcclModel& model, NcclCollective coll, NcclAlgorithm a, NcclProtocol p,
                 double latency_us, double gb_per_s) {
  constexpr double bytes = 1 << 30;
  const std::optional<NcclTime> t = model.time(coll, bytes, a, p);
  ASSERT_TRUE(t.has_value());
  double lifted = 1;  // by the size of the message, which the table leaves out
  if (a == ring && p == simple && coll == reduce && model.group().nodes > 1) lifted = 1.4;
  const std::string what = fmt::format("{} {} {}", name_of(coll), name_of(a), name_of(p));
  EXPECT_NEAR(t->latency_s * 1e6 / lifted, latency_us, std::max(0.05, 0.01 * latency_us)) << what;
  EXPECT_NEAR(bytes / t->transfer_s / 1e9, gb_per_s, std::max(0.05, 0.01 * gb_per_s)) << what;
}

void expect_ring(const NcclModel& model, int channels, double gb_per_s) {
  EXPECT_EQ(model.group().ring.channels, channels);
  EXPECT_NEAR(model.group().ring.intra_bytes_per_s, gb_per_s * 1e9, 1e6);
}

TEST(NcclRing, OfOneNodeIsWhatNcclFinds) {
  const NcclModel a100 = model_of(intel("dgx-a100-80g"), 8);
  expect_ring(a100, 12, 20);
  EXPECT_EQ(a100.group().run_channels, 24);
  expect_line(a100, gather, ring, simple, 32.2, 274.3);
  expect_line(a100, scatter, ring, simple, 32.2, 274.3);
  expect_line(a100, reduce, ring, simple, 56.0, 137.1);
  for (const int ranks : {2, 4, 8}) {
    expect_ring(h100(ranks), 12, 30);
    EXPECT_EQ(h100(ranks).group().run_channels, 24);
  }
  expect_line(h100(2), gather, ring, simple, 11.8, 720);
  expect_line(h100(2), reduce, ring, simple, 15.2, 360);
  expect_line(h100(4), gather, ring, simple, 18.6, 480);
  expect_line(h100(4), reduce, ring, simple, 28.8, 240);
  expect_line(h100(8), gather, ring, simple, 32.2, 411.4);
  expect_line(h100(8), reduce, ring, simple, 56.0, 205.7);
  const NcclModel b200 = model_of(load_cluster("dgx-b200"), 8);
  expect_ring(b200, 16, 45);
  EXPECT_EQ(b200.group().run_channels, 32);
  expect_line(b200, gather, ring, simple, 32.2, 822.9);
  expect_line(b200, reduce, ring, simple, 56.0, 411.4);
}

TEST(NcclProtocols, OfOneNodeAreWhatNcclExpects) {
  expect_line(h100(8), gather, ring, ll, 10.8, 161.1);
  expect_line(h100(8), reduce, ring, ll, 15.0, 80.6);
  expect_line(h100(8), gather, ring, ll128, 27.3, 378.5);
  expect_line(h100(8), reduce, ring, ll128, 40.6, 189.3);
}

/// The correction for the size of a message is 1, 1 and 0.9 at 64 MiB, above 256 MiB there is none.
TEST(NcclTree, OfOneNodeIsWhatNcclExpects) {
  expect_line(h100(8), reduce, tree, ll, 15.2, 43.6);
  expect_line(h100(8), reduce, tree, ll128, 31.5, 128.8);
  expect_line(h100(8), reduce, tree, simple, 64.4, 165.6);
}

TEST(NcclNvls, OfOneNodeIsWhatNcclExpects) {
  const NcclGraph eight = h100(8).group().nvls;
  EXPECT_EQ(eight.channels, 8);
  EXPECT_EQ(eight.intra_bytes_per_s, 40e9);
  EXPECT_EQ(eight.inter_bytes_per_s, 60e9);
  expect_line(h100(8), reduce, nvls, simple, 25.0, 272.0);
  expect_line(h100(4), reduce, nvls, simple, 25.0, 160.0);
  const NcclModel b200 = model_of(load_cluster("dgx-b200"), 8);
  EXPECT_EQ(b200.group().nvls.intra_bytes_per_s, 80e9);
  EXPECT_EQ(b200.group().nvls.inter_bytes_per_s, 90e9);
  expect_line(b200, reduce, nvls, simple, 25.0, 411.4);
}

TEST(NcclGroups, OverNodesAreWhatNcclExpects) {
  for (const int nodes : {2, 4, 16}) {
    expect_ring(h100(8 * nodes), 8, 48);
    EXPECT_EQ(h100(8 * nodes).group().run_channels, 16);
  }
  expect_line(h100(16), gather, ring, simple, 70.0, 409.6);
  expect_line(h100(16), reduce, ring, simple, 131.6, 204.8);
  expect_line(h100(16), reduce, nvls_tree, simple, 66.8, 246.2);
  expect_line(h100(32), gather, ring, simple, 145.6, 396.4);
  expect_line(h100(32), reduce, ring, simple, 282.8, 198.2);
  expect_line(h100(32), reduce, nvls_tree, simple, 108.6, 187.9);
  expect_line(h100(128), gather, ring, simple, 599.2, 387.0);
  expect_line(h100(128), reduce, ring, simple, 1190, 193.5);
  expect_line(h100(128), reduce, nvls_tree, simple, 192.2, 183.4);
  expect_line(h100(32), gather, ring, ll, 42.7, 21.1);
  expect_line(h100(32), gather, ring, ll128, 79.2, 303.1);
  expect_line(h100(32), reduce, tree, ll, 35.2, 8.7);
  expect_line(h100(32), reduce, tree, ll128, 65.5, 98.6);
  expect_line(h100(32), reduce, tree, simple, 120.4, 122.4);
}

TEST(NcclGroups, OverSlowNicsAreWhatNcclExpects) {
  Cluster slow = load_cluster("dgx-h100");
  slow.nic_bytes_per_s = slow.inter.bandwidth_bytes_per_s = 25e9;
  const NcclModel four = model_of(slow, 32);
  expect_ring(four, 8, 24);
  expect_line(four, gather, ring, simple, 145.6, 198.2);
  expect_line(four, reduce, ring, simple, 282.8, 99.1);
  EXPECT_NEAR(0x1p36 / four.time(reduce, 0x1p36).seconds() / 1e9, 99.1, 1);
}

TEST(NcclGroups, WithoutNvlinkAreWhatNcclExpects) {
  const NcclModel pcie = model_of(load_cluster("a100-pcie-4"), 4);
  expect_ring(pcie, 1, 20);
  EXPECT_EQ(pcie.group().run_channels, 2);
  expect_line(pcie, gather, ring, simple, 25.5, 26.7);
  expect_line(pcie, reduce, ring, simple, 42.6, 13.3);
  EXPECT_FALSE(pcie.time(gather, 1e6, ring, ll128).has_value());
}

TEST(NcclGroups, OfOneGpuANodeBehindASocketAreWhatNcclExpects) {
  Cluster socket = load_cluster("a100-pcie-4");
  socket.gpus_per_node = 1;
  socket.nic_bytes_per_s = socket.inter.bandwidth_bytes_per_s = 1.25e9;
  const NcclModel four = model_of(socket, 4);
  expect_ring(four, 1, 1.2);
  EXPECT_EQ(four.group().run_channels, 2);
  expect_line(four, gather, ring, simple, 50.4, 1.6);
  expect_line(four, gather, pat, simple, 27.2, 0.9);
  expect_line(four, reduce, ring, simple, 92.4, 0.8);
}

struct Choice {
  NcclCollective coll;
  int mib_64th;  ///< message in 64ths of a MiB
  double us;
  const char* what;  ///< algorithm and protocol; empty where NCCL's log was not kept
};

void expect_choice(const NcclModel& model, const Choice& c) {
  const double bytes = c.mib_64th * 0x1p14;
  const NcclTime t = model.time(c.coll, bytes);
  EXPECT_NEAR(t.seconds() * 1e6, c.us, std::max(0.05, 0.01 * c.us)) << name_of(c.coll) << bytes;
  if (*c.what != '\0') {
    EXPECT_EQ(fmt::format("{} {}", name_of(t.algorithm), name_of(t.protocol)), c.what) << bytes;
  }
}

TEST(NcclChoice, OfOneNodeIsNccls) {
  const NcclTime tiny = h100(8).time(gather, 4096);
  EXPECT_NEAR(tiny.seconds() * 1e6, 10.8, 0.1);
  EXPECT_EQ(tiny.channels, 1);
  EXPECT_NEAR(h100(8).time(reduce, 4096).seconds() * 1e6, 15.1, 0.15);
  for (const Choice& c :
       {Choice{gather, 16, 12.4, ""}, Choice{reduce, 16, 18.3, ""},
        Choice{gather, 128, 23.8, "ring ll"}, Choice{reduce, 128, 32.7, "nvls simple"},
        Choice{gather, 1024, 71.6, "ring ll128"}, Choice{reduce, 1024, 86.7, "nvls simple"},
        Choice{gather, 8192, 358, "ring simple"}, Choice{reduce, 8192, 518, "nvls simple"},
        Choice{gather, 65536, 2642, ""}, Choice{reduce, 65536, 3973, ""}})
    expect_choice(h100(8), c);
}

TEST(NcclChoice, OverFourNodesIsNccls) {
  for (const Choice& c :
       {Choice{gather, 128, 86.1, ""}, Choice{reduce, 128, 100.9, "tree ll128"},
        Choice{gather, 1024, 134.6, ""}, Choice{reduce, 1024, 197.9, "nvls_tree simple"},
        Choice{gather, 65536, 2854, "ring simple"}, Choice{reduce, 65536, 5814, "ring simple"}})
    expect_choice(h100(32), c);
}

TEST(NcclBlocks, AreAsManyAsTheMessageFeeds) {
  const NcclModel model = h100(8);
  EXPECT_EQ(model.time(gather, 512 * 64 * 5.5, ring, simple)->channels, 5);
  EXPECT_EQ(model.time(gather, 640 * 8 * 3, ring, ll128)->channels, 3);
  EXPECT_EQ(model.time(gather, 512 * 8 * 8 * 3, ring, ll)->channels, 3);
  EXPECT_EQ(model.time(gather, 1e9, ring, simple)->channels, 24);
  EXPECT_EQ(model.time(reduce, 1e9, nvls, simple)->channels, 8);
}

TEST(NcclModel, OfOneRankCostsNothing) {
  EXPECT_EQ(h100(1).time(gather, 1e9).seconds(), 0);
  EXPECT_EQ(h100(1).time(reduce, 1e9).channels, 0);
}

std::vector<int> every(int step, int n) {
  std::vector<int> ranks = first(n);
  for (int& rank : ranks) rank *= step;
  return ranks;
}

std::vector<std::vector<int>> groups() {
  return {first(2), first(8), first(12), first(64), every(8, 4), every(3, 7)};
}

double seconds(const Cluster& cluster, const std::vector<int>& ranks, NcclCollective coll) {
  return NcclModel(nccl_group(cluster, ranks)).time(coll, 1e8).seconds();
}

/// NCCL's search takes the fastest channels first: on a faster link it may end with fewer, which LL128 does not fill.
TEST(NcclModel, OfATwiceAsFastLinkIsNoSlowerButByAChannelsLimit) {
  for (const std::string& name : cluster_names()) {
    const Cluster cluster = load_cluster(name);
    for (const std::vector<int>& ranks : groups())
      for (const NcclCollective coll : {gather, reduce})
        for (int step = 4; step <= 20; step += 4) {
          const double factor = 1 + step / 20.0;
          const double most = seconds(cluster, ranks, coll) * (step == 20 ? 1.03 : 1.15);
          Cluster faster = cluster;
          faster.intra.bandwidth_bytes_per_s *= factor;
          EXPECT_LE(seconds(faster, ranks, coll), most) << name << ", inside x " << factor;
          faster = cluster;
          faster.inter.bandwidth_bytes_per_s *= factor;
          faster.nic_bytes_per_s *= factor;
          EXPECT_LE(seconds(faster, ranks, coll), most) << name << ", NICs x " << factor;
        }
  }
}

TEST(NcclModel, GrowsWithBytes) {
  for (const std::string& name : cluster_names())
    for (const std::vector<int>& ranks : groups()) {
      const NcclModel model(nccl_group(load_cluster(name), ranks));
      for (const NcclCollective coll : {gather, scatter, reduce})
        for (double bytes = 1; bytes < 1e10; bytes *= 2)
          EXPECT_GT(model.time(coll, 2 * bytes).seconds(), model.time(coll, bytes).seconds())
              << name << ' ' << bytes;
    }
}

TEST(NcclConstants, OfBothVersionsAreRead) {
  EXPECT_EQ(nccl_versions(), (std::vector<std::string>{"2.28", "2.30"}));
  EXPECT_EQ(load_nccl("2.30").nvls_tree_most_bytes_per_s[3][2], 80e9);
  EXPECT_EQ(load_nccl("2.28").nvls_tree_most_bytes_per_s[3][2], 43.8e9);
  EXPECT_EQ(load_nccl("2.30").ring_ll128_most_bytes_per_s[3][0], 40e9);
  EXPECT_THROW(load_nccl("2.29"), InputError);
}

std::string error_of(const std::string& from, const std::string& to) {
  std::string text = read_file((data_dir() / "cluster_specs/nccl/2.28.yaml").string());
  const std::string path = testing::TempDir() + "nccl.yaml";
  std::ofstream(path) << text.replace(text.find(from), from.size(), to);
  try {
    load_nccl(path);
  } catch (const InputError& error) {
    return std::string(error.what()).substr(path.size());
  }
  return "no error";
}

TEST(NcclConstants, ThatAreWrongAreRefusedWithTheirPlace) {
  EXPECT_EQ(error_of("tree: [6.8, 14.0, 8.4]", "tree: [6.8, 14.0]"),
            ":7:9: base_latency_us.tree: expected a list of 3 numbers, got 2");
  EXPECT_EQ(error_of("tree: [6.8", "tee: [6.8"),
            ":7:8: base_latency_us.tee: unknown key, did you mean \"tree\"?");
  EXPECT_EQ(error_of("tree: [6.8", "tree: [-6.8"),
            ":7:10: base_latency_us.tree[0]: expected a number of at least 0, got -6.8");
  EXPECT_EQ(
      error_of("[40, 30, 20,", "[40, 50, 20,"),
      ":74:15: speeds_intra_gb_per_s.volta[1]: expected a number below the one before it, got 50");
}

}  // namespace
}  // namespace ithaca
