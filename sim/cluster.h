// sim/cluster.h -- the machines: what a GPU can do and what lies between two of them.
//
// Read from cluster_specs/*.yaml and cluster_specs/gpus/*.yaml or a file of the same form.  GPUs
// are numbered node by node; the fast domain (NVLink, NVSwitch) may be a part of a node, a node, or
// several nodes (NVL72). Bandwidths are per GPU and direction: what NCCL assumes of the link, with
// the vendor's figure beside it.
#pragma once

#include "sim/kernels/rates.h"
#include "sim/nccl/tables.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ithaca {

/// A kind of port of a GPU, one direction.
struct Port {
  double datasheet_bytes_per_s = 0;
  double nccl_bytes_per_s = 0;  ///< what NCCL assumes when it plans
  std::int64_t links = 1;       ///< of NVLink
};

struct Gpu {
  std::string name, source;
  int compute_capability = 0;                ///< 90 of CUDA's 9.0; 0: not a GPU that NCCL runs on
  double bf16_flops_per_s = 0;               ///< dense peak
  std::optional<double> fp8_flops_per_s;     ///< dense peak
  std::optional<double> matmul_flops_per_s;  ///< best bf16 matmul measured, of any shape
  std::string matmul_source;
  std::int64_t memory_bytes = 0;  ///< as the driver reports it unless memory_source says otherwise
  std::string memory_source;
  double memory_bandwidth_bytes_per_s = 0;
  double power_w = 0;
  std::optional<Port> nvlink, pcie;
  KernelRates kernels;     ///< of the key `kernels`, else of the GPU's name, else a plain roofline
  std::string pci_device;  ///< such as 0x2330, pci-ids.ucw.cz; empty when not stated
};

struct Link {
  std::string kind;  ///< nvswitch..., nvlink-mesh and nvlink-pairs are told apart from all else
  double bandwidth_bytes_per_s = 0;  ///< per GPU, one direction
  double latency_s = 0;              ///< per hop of a collective
  std::optional<double> datasheet_bytes_per_s;
};

struct Price {
  double usd_per_node_hour = 0;
  std::string source;  ///< with its date: prices drift
};

enum class HostCpu : std::uint8_t { intel, amd, other };

/// The switches between nodes; without it a group is slowed by its NICs only.
struct Fabric {
  std::int64_t leaf_gpus = 0;   ///< GPUs whose NICs share their leaf switches; whole islands
  double oversubscription = 1;  ///< bandwidth of a leaf's NICs over that of its uplinks
  std::int64_t rails = 1;       ///< leaf switches of a pod, each with every rails-th NIC of a node
};

/// The CPUs of a node, where the way between its GPUs leads through them.
struct Sockets {
  std::int64_t count = 1;
  double bandwidth_bytes_per_s = 0;  ///< between two of them, one direction
  double peer_cost = 1;              ///< what a byte between two GPUs of a socket takes of PCIe
};

/// An edge of a node drawn in full; what it joins is called "GPU 0", "PCIe switch 1", "leaf 0" ...
struct BoxEdge {
  std::string from, to, kind;        ///< kind: nvlink, pcie, socket or network
  double bandwidth_bytes_per_s = 0;  ///< of each direction
};

struct Cluster {
  std::string name, source;
  Gpu gpu;
  HostCpu cpu = HostCpu::intel;
  std::int64_t gpus_per_node = 0;
  std::int64_t fast_domain_gpus = 0;  ///< divides gpus_per_node or is a multiple of it
  double base_latency_s = 0;          ///< per collective, beside the hops
  Link intra;                ///< within the fast domain; of a node without one, between its GPUs
  std::optional<Link> node;  ///< between the fast domains of one node; nothing: as intra
  Link inter;                ///< between nodes: one GPU's share of the NICs
  std::int64_t nics_per_node = 0;
  double nic_bytes_per_s = 0;          ///< of one NIC
  std::int64_t host_memory_bytes = 0;  ///< of a node
  std::optional<Price> price;
  std::optional<Fabric> fabric;
  std::optional<Sockets> sockets;
  std::vector<BoxEdge> box;  ///< of a node; empty: drawn from the numbers above
  /// Measured on its first GPUs; they answer for their own collective and group, and calibrate the rest.
  std::vector<CollectiveTable> measured_collectives;

  /// GPUs of an island: of a node, or of the nodes that one fast domain joins.
  std::int64_t island_gpus() const;
  /// The link between two different GPUs, numbered from 0 node by node.
  const Link& link(std::int64_t a, std::int64_t b) const;
};

/// A preset name or a path to a YAML file.
/// InputError when it is unknown (with the nearest preset) or the file is wrong in any way.
Cluster load_cluster(const std::string& name_or_path);
/// The file that is meant.  InputError when there is no such preset and it is no path.
std::string cluster_path(const std::string& name_or_path);
/// `name` stands for the file in messages.
Cluster parse_cluster(const std::string& content, const std::string& name);
Gpu load_gpu(const std::string& name_or_path);

/// The presets, sorted.
std::vector<std::string> cluster_names();
std::vector<std::string> gpu_names();

}  // namespace ithaca
