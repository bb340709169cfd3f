#include "sim/cluster.h"

#include "models/error.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

TEST(Cluster, EveryPresetLoads) {
  const std::vector<std::string> names = cluster_names();
  EXPECT_EQ(names.size(), 43U);
  for (const std::string& name : names) {
    const Cluster cluster = load_cluster(name);
    EXPECT_EQ(cluster.name, name);
    EXPECT_FALSE(cluster.source.empty()) << name;
    EXPECT_GT(cluster.intra.bandwidth_bytes_per_s, cluster.inter.bandwidth_bytes_per_s) << name;
    EXPECT_LT(cluster.intra.latency_s, cluster.inter.latency_s) << name;
    EXPECT_NEAR(cluster.inter.bandwidth_bytes_per_s * static_cast<double>(cluster.gpus_per_node),
                cluster.nic_bytes_per_s * static_cast<double>(cluster.nics_per_node), 1e3)
        << name;
  }
}

TEST(Gpu, EveryPresetLoads) {
  const std::vector<std::string> names = gpu_names();
  EXPECT_EQ(names.size(), 21U);
  for (const std::string& name : names) {
    const Gpu gpu = load_gpu(name);
    EXPECT_EQ(gpu.name, name);
    EXPECT_FALSE(gpu.source.empty()) << name;
    EXPECT_TRUE(gpu.pcie.has_value()) << name;
    if (gpu.matmul_flops_per_s) {
      EXPECT_LT(*gpu.matmul_flops_per_s, gpu.bf16_flops_per_s) << name;
    }
  }
}

TEST(Cluster, LinkInsideTheFastDomainIsTheRateOfTheGpusPort) {
  for (const std::string& name : cluster_names()) {
    const Cluster cluster = load_cluster(name);
    const std::optional<Port>& port =
        cluster.fast_domain_gpus > 1 ? cluster.gpu.nvlink : cluster.gpu.pcie;
    if (!port) continue;  // a bridged PCIe card: its GPU file has no NVLink
    EXPECT_EQ(cluster.intra.bandwidth_bytes_per_s, port->nccl_bytes_per_s) << name;
    EXPECT_EQ(cluster.intra.datasheet_bytes_per_s, port->datasheet_bytes_per_s) << name;
  }
}

TEST(Cluster, DgxA100IsWhatTheDriverAndNcclSay) {
  const Cluster cluster = load_cluster("dgx-a100-80g");
  EXPECT_EQ(cluster.gpu.memory_bytes, 81920LL * 1024 * 1024);
  EXPECT_EQ(cluster.gpu.bf16_flops_per_s, 312e12);
  EXPECT_EQ(cluster.gpu.matmul_flops_per_s, 271.2e12);
  EXPECT_EQ(cluster.intra.bandwidth_bytes_per_s, 240e9);
  EXPECT_EQ(cluster.intra.datasheet_bytes_per_s, 300e9);
  EXPECT_EQ(cluster.inter.bandwidth_bytes_per_s, 25e9);
  EXPECT_DOUBLE_EQ(cluster.intra.latency_s, 3.4e-6);
  EXPECT_DOUBLE_EQ(cluster.inter.latency_s, 14e-6);
  EXPECT_DOUBLE_EQ(cluster.base_latency_s, 8.4e-6);
}

TEST(Cluster, UnknownDriverMemoryIsSaid) {
  EXPECT_EQ(load_gpu("GB200-186GB").memory_source, "marketing size, driver figure unknown");
  EXPECT_EQ(load_gpu("H200-SXM5-141GB").memory_source, "");
  EXPECT_EQ(load_gpu("H200-SXM5-141GB").memory_bytes, 143771LL * 1024 * 1024);
}

TEST(Cluster, LinkBetweenTwoGpusFollowsTheirDomains) {
  const Cluster node = load_cluster("dgx-h100");
  EXPECT_EQ(&node.link(0, 7), &node.intra);
  EXPECT_EQ(&node.link(7, 8), &node.inter);
  const Cluster rack = load_cluster("gb200-nvl72");
  EXPECT_EQ(&rack.link(0, 71), &rack.intra);
  EXPECT_EQ(&rack.link(71, 72), &rack.inter);
  const Cluster pcie = load_cluster("l20-8");
  EXPECT_EQ(&pcie.link(0, 7), &pcie.intra);
  EXPECT_EQ(&pcie.link(0, 8), &pcie.inter);
  const Cluster pairs = load_cluster("a100-pcie-8-bridged");
  EXPECT_EQ(&pairs.link(2, 3), &pairs.intra);
  EXPECT_EQ(&pairs.link(1, 2), &*pairs.node);
  EXPECT_EQ(&pairs.link(7, 8), &pairs.inter);
}

TEST(Cluster, PricesCarryTheirSource) {
  const Cluster aws = load_cluster("aws-p5");
  ASSERT_TRUE(aws.price.has_value());
  EXPECT_EQ(aws.price->usd_per_node_hour, 55.04);
  EXPECT_FALSE(aws.price->source.empty());
  EXPECT_FALSE(load_cluster("dgx-h100").price.has_value());
}

TEST(Cluster, UnknownNameGetsTheNearestPreset) {
  try {
    load_cluster("dgx-a100-80");
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "cluster: expected a preset or a YAML file, got \"dgx-a100-80\", did you mean "
                 "\"dgx-a100-80g\"?");
  }
}

}  // namespace
}  // namespace ithaca
