// sim/topology/import.h -- a cluster file from what NCCL or nvidia-smi say of a machine.
//
// A machine's file says nothing of the memory of its host, seldom the speed of NICs, and a matrix or
// a graph not even the GPU: what is not in the file and not given is assumed, and said.
#pragma once

#include "sim/cluster.h"
#include "sim/topology/machine.h"

#include <optional>
#include <string>
#include <vector>

namespace ithaca {

enum class ImportFormat : std::uint8_t { nccl_topology, nccl_graph, nvidia_smi };
/// "nccl-topo", "nccl-graph", "nvidia-smi"; InputError for another word.
ImportFormat import_format(const std::string& word);

struct ImportRequest {
  std::string file, content;
  std::optional<ImportFormat> format;  ///< nothing: as the content looks
  std::string name;                    ///< of the cluster
  std::optional<std::string> gpu;      ///< a preset; nothing: the one whose PCI device the file has
  std::optional<double> nic_bytes_per_s;
  std::optional<std::int64_t> host_memory_bytes;
};

struct Imported {
  Cluster cluster;
  std::vector<std::string> assumed;  ///< one sentence each
};

/// InputError at the place in the file, or naming the flag that would help.
Imported import_cluster(const ImportRequest&);
/// What the box of a machine is as a cluster, one machine a node.
Cluster cluster_of(const Machine&, const Gpu&);

/// The cluster as YAML that load_cluster() reads.
std::string cluster_text(const Imported&);

}  // namespace ithaca
