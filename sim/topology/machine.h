// sim/topology/machine.h -- one machine as tools of NVIDIA describe it.
//
// NCCL_TOPO_DUMP_FILE: what NCCL found (src/graph/xml.cc, topo.cc of NCCL 2.28.9).  Attributes that
// are not needed here are let be, for each version of NCCL adds some.
// `nvidia-smi topo -m`: how near every two devices are; bandwidths follow from the GPU.
// Both become a box without latencies whose NICs share one leaf, see sim/topology/topology.h.
#pragma once

#include "sim/cluster.h"
#include "sim/topology/graph.h"

#include <optional>
#include <string>

namespace ithaca {

struct Machine {
  Graph box;
  std::optional<HostCpu> cpu;      ///< nothing when not said
  std::string pci_device;          ///< of the GPUs, such as 0x2330; empty when not said
  bool nic_speeds_known = true;    ///< else those unknown have NCCL's 10 Gb/s
  bool socket_speed_known = true;  ///< else a GPU's PCIe rate
};

/// What NCCL takes where a NIC does not say its speed: 10 Gb/s, src/graph/topo.cc.
constexpr double unknown_nic_bytes_per_s = 1.25e9;

// `file` stands for the file in messages.  InputError at the place when the text is not of the
// format, is cut short, or describes no machine: devices twice, links to nowhere or to themselves.
Machine read_nccl_topology(const std::string& content, const std::string& file);
Machine read_smi_matrix(const std::string& content, const std::string& file, const Gpu&);

}  // namespace ithaca
