#include "models/error.h"
#include "models/yaml.h"
#include "sim/topology/group_route.h"
#include "sim/topology/import.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

const std::string data = "tests/data/topology/";

Imported imported(const std::string& file, const std::optional<std::string>& gpu = std::nullopt) {
  ImportRequest request;
  request.file = file;
  request.content = read_file(file);
  request.name = "mine";
  request.gpu = gpu;
  return import_cluster(request);
}

TEST(Import, NcclsTopologyOfADgxH100IsThePreset) {
  const Imported got = imported(data + "dgx_h100.xml");
  const Cluster preset = load_cluster("dgx-h100");
  EXPECT_EQ(got.cluster.gpu.name, preset.gpu.name);
  EXPECT_EQ(got.cluster.gpus_per_node, 8);
  EXPECT_EQ(got.cluster.fast_domain_gpus, 8);
  EXPECT_NEAR(got.cluster.intra.bandwidth_bytes_per_s, preset.intra.bandwidth_bytes_per_s, 1);
  EXPECT_EQ(got.cluster.inter.bandwidth_bytes_per_s, preset.inter.bandwidth_bytes_per_s);
  EXPECT_EQ(got.cluster.nics_per_node, 8);
  EXPECT_FALSE(got.cluster.sockets.has_value());
  ASSERT_EQ(got.assumed.size(), 1U);
  EXPECT_NE(got.assumed[0].find("--host-memory"), std::string::npos);
}

TEST(Import, TheMachineIsDrawnWithItsSwitchesSocketsAndNics) {
  const std::string file = data + "dgx_h100.xml";
  const Graph box = read_nccl_topology(read_file(file), file).box;
  EXPECT_EQ(all_of(box, Part::gpu).size(), 8U);
  EXPECT_EQ(all_of(box, Part::nvswitch).size(), 1U);
  EXPECT_EQ(all_of(box, Part::pcie_switch).size(), 8U);
  EXPECT_EQ(all_of(box, Part::socket).size(), 2U);
  EXPECT_EQ(all_of(box, Part::nic).size(), 8U);
  const Topology t(box, file);
  EXPECT_EQ(t.path(0, 7).type, HopType::nvlink);
  EXPECT_EQ(t.ways_out(3, 0).front().type, HopType::pix);
  EXPECT_DOUBLE_EQ(t.ways_out(3, 0).front().bandwidth_bytes_per_s, 48e9);
}

TEST(Import, PcieBoxOfTwoIntelSocketsKeepsThem) {
  const Imported got = imported(data + "a100_pcie_2_sockets.xml");
  EXPECT_EQ(got.cluster.gpu.name, "A100-PCIE-80GB");
  EXPECT_EQ(got.cluster.fast_domain_gpus, 1);
  EXPECT_EQ(got.cluster.intra.bandwidth_bytes_per_s, 24e9);
  ASSERT_TRUE(got.cluster.sockets.has_value());
  EXPECT_EQ(got.cluster.sockets->count, 2);
  EXPECT_EQ(got.cluster.sockets->bandwidth_bytes_per_s, 22e9);
  EXPECT_EQ(got.cluster.sockets->peer_cost, 1.2);
}

TEST(Import, NcclFindsOneChannelOfTwentyInThatBox) {
  const std::string file = data + "a100_pcie_2_sockets.xml";
  const Topology t(read_nccl_topology(read_file(file), file).box, file);
  const Channels found =
      ring_channels(t, place_of(t, {0, 1, 2, 3}), std::vector<double>{40e9, 30e9, 20e9}, 80);
  EXPECT_EQ(found.count, 1);
  EXPECT_EQ(found.bandwidth_bytes_per_s, 20e9);
  EXPECT_EQ(t.path(0, 1).type, HopType::phb);
  EXPECT_EQ(t.path(1, 2).type, HopType::sys);
  EXPECT_DOUBLE_EQ(t.path(0, 1).bandwidth_bytes_per_s, 20e9);
}

TEST(Import, AMeshOfFourHasThreePeersOfFourLinks) {
  const Imported got = imported(data + "a100_mesh_4.xml");
  EXPECT_EQ(got.cluster.intra.kind, "nvlink-mesh");
  EXPECT_EQ(got.cluster.fast_domain_gpus, 4);
  EXPECT_EQ(got.cluster.intra.bandwidth_bytes_per_s, 240e9);
  EXPECT_EQ(got.cluster.nics_per_node, 2);
  const std::string file = data + "a100_mesh_4.xml";
  const Topology t(read_nccl_topology(read_file(file), file).box, file);
  EXPECT_EQ(t.path(0, 3).bandwidth_bytes_per_s, 80e9);
  // Rings in both directions through all links: NCCL's 240 GB/s of such a node.
  EXPECT_DOUBLE_EQ(
      ring_channels(t, place_of(t, {0, 1, 2, 3}), std::vector<double>{40e9, 30e9, 20e9}, 80)
          .total_bytes_per_s(),
      240e9);
}

TEST(Import, MatrixAndTopologyFileOfAMachineGiveTheSameLinks) {
  for (const auto& [name, gpu] :
       {std::pair{"dgx_h100", "H100-SXM5-80GB"}, std::pair{"a100_pcie_2_sockets", "A100-PCIE-80GB"},
        std::pair{"a100_mesh_4", "A100-SXM4-40GB"}}) {
    const Cluster xml = imported(data + name + ".xml").cluster,
                  smi = imported(data + name + "_topo.txt", gpu).cluster;
    EXPECT_EQ(xml.gpus_per_node, smi.gpus_per_node) << name;
    EXPECT_EQ(xml.fast_domain_gpus, smi.fast_domain_gpus) << name;
    EXPECT_EQ(xml.intra.kind, smi.intra.kind) << name;
    EXPECT_NEAR(xml.intra.bandwidth_bytes_per_s, smi.intra.bandwidth_bytes_per_s, 1) << name;
    EXPECT_EQ(xml.sockets.has_value(), smi.sockets.has_value()) << name;
  }
}

TEST(Import, OfAGraphFileTheChannelsAreTheLinks) {
  const Cluster got = imported(data + "h100_graph.xml", "H100-SXM5-80GB").cluster;
  EXPECT_EQ(got.gpus_per_node, 8);
  EXPECT_EQ(got.fast_domain_gpus, 8);
  EXPECT_DOUBLE_EQ(got.intra.bandwidth_bytes_per_s, 384e9);
  EXPECT_EQ(got.nics_per_node, 8);
  EXPECT_DOUBLE_EQ(got.nic_bytes_per_s, 48e9);
}

/// A graph file: rings on one order of the GPUs need a switch, rings that share the pairs evenly do not.
std::string graph_file(const std::vector<std::string>& rings) {
  std::string text =
      "<graphs version=\"1\"><graph id=\"0\" pattern=\"4\" crossnic=\"0\" nchannels=\"" +
      std::to_string(rings.size()) +
      "\" speedintra=\"40\" speedinter=\"40\" latencyinter=\"0\" typeintra=\"NVL\" "
      "typeinter=\"PIX\" samechannels=\"0\">";
  for (const std::string& ring : rings) {
    text += "<channel>";
    for (const char gpu : ring) text += std::string("<gpu dev=\"") + gpu + "\"/>";
    text += "</channel>";
  }
  return text + "</graph></graphs>";
}

TEST(Import, OfAGraphFileMeshAndSwitchAreToldApart) {
  const auto kind = [](const std::vector<std::string>& rings) {
    return import_cluster({"graph.xml", graph_file(rings), {}, "mine", "A100-SXM4-80GB", {}, {}})
        .cluster.intra.kind;
  };
  EXPECT_EQ(kind({"0123", "0123", "0123", "0123", "0123", "0123"}), "nvswitch");
  EXPECT_EQ(kind({"0123", "0321", "0231", "0132", "0213", "0312"}), "nvlink-mesh");
  EXPECT_EQ(imported(data + "h100_graph.xml", "H100-SXM5-80GB").cluster.intra.kind, "nvswitch");
}

TEST(Import, WhatIsWrittenIsReadBackTheSame) {
  for (const auto& [file, gpu] : {std::pair{"dgx_h100.xml", "H100-SXM5-80GB"},
                                  std::pair{"a100_pcie_2_sockets.xml", "A100-PCIE-80GB"},
                                  std::pair{"a100_mesh_4_topo.txt", "A100-SXM4-40GB"},
                                  std::pair{"h100_graph.xml", "H100-SXM5-80GB"}}) {
    const Imported got = imported(data + file, gpu);
    const Cluster back = parse_cluster(cluster_text(got), file);
    EXPECT_EQ(back.name, "mine");
    EXPECT_EQ(back.gpu.name, gpu);
    EXPECT_EQ(back.cpu, got.cluster.cpu);
    EXPECT_EQ(back.gpus_per_node, got.cluster.gpus_per_node);
    EXPECT_EQ(back.host_memory_bytes, got.cluster.host_memory_bytes);
    EXPECT_NEAR(back.intra.bandwidth_bytes_per_s, got.cluster.intra.bandwidth_bytes_per_s, 1);
    EXPECT_NEAR(back.nic_bytes_per_s, got.cluster.nic_bytes_per_s, 1);
    EXPECT_EQ(back.sockets.has_value(), got.cluster.sockets.has_value());
    const Topology read = topology_of(back), written = topology_of(got.cluster);
    ASSERT_EQ(boost::num_edges(read.box()), boost::num_edges(written.box())) << file;
    for (Arc arc = 0; arc < read.arcs(); ++arc) {
      EXPECT_EQ(read.name_of(arc), written.name_of(arc));
      EXPECT_NEAR(read.edge(arc).bandwidth_bytes_per_s, written.edge(arc).bandwidth_bytes_per_s, 1);
    }
  }
}

std::string message_of(const std::string& file) {
  try {
    imported(file, "A100-SXM4-80GB");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

// Every tests/error/topology/X.txt holds the exact message for X.xml or X.matrix beside it.
TEST(Import, EveryWrongFileGivesItsExactMessage) {
  fs::current_path(ITHACA_SOURCE_DIR);
  int cases = 0;
  for (const auto& file : fs::directory_iterator("tests/error/topology")) {
    if (file.path().extension() == ".txt") continue;
    std::ostringstream expected;
    fs::path message = file.path();
    expected << std::ifstream(message.replace_extension(".txt")).rdbuf();
    EXPECT_EQ(message_of(file.path().string()) + "\n", expected.str()) << file.path();
    ++cases;
  }
  EXPECT_GE(cases, 20);
}

TEST(Import, AGpuThatTheFileDoesNotSayIsAskedFor) {
  try {
    imported(data + "a100_mesh_4_topo.txt");
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "--gpu: expected a GPU of cluster_specs/gpus, got nothing, and "
                 "tests/data/topology/a100_mesh_4_topo.txt does not say which it is");
  }
}

}  // namespace
}  // namespace ithaca
