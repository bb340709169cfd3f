// sim/nccl/constants.h -- the numbers NCCL plans with, one file a version.
//
// Read from cluster_specs/nccl/*.yaml, where each has its line in NCCL's source.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

enum class NcclAlgorithm : std::uint8_t { tree, ring, nvls, nvls_tree, pat };
enum class NcclProtocol : std::uint8_t { ll, ll128, simple };
enum class NcclArch : std::uint8_t { volta, ampere, hopper, blackwell };
enum class NcclHop : std::uint8_t { nvlink, pcie, net };
const char* name_of(NcclAlgorithm);
const char* name_of(NcclProtocol);

struct NcclConstants {
  using ByProtocol = std::array<double, 3>;
  using ByAlgorithm = std::array<ByProtocol, 5>;
  using ByArch = std::array<double, 4>;
  using ByNodes = std::array<double, 3>;  ///< of one node, two nodes, more
  using ByArchAndNodes = std::array<ByNodes, 4>;
  using Speeds = std::array<std::vector<double>, 4>;  ///< by architecture, from the fastest

  std::string name, source;
  ByAlgorithm base_latency_s{};
  std::array<ByAlgorithm, 3> hop_latency_s{};
  std::array<double, 3> post_overhead_s{};  ///< by HostCpu
  ByArchAndNodes ll_most_bytes_per_s{};     ///< of all channels
  /// Of one channel.
  ByArchAndNodes ring_ll128_most_bytes_per_s{}, tree_ll128_most_bytes_per_s{},
      tree_most_bytes_per_s{}, nvls_tree_most_bytes_per_s{};
  ByArch nvls_efficiency{};
  std::array<std::array<double, 23>, 3> tree_correction{};  ///< by protocol; of 64 B, 128 B ...
  Speeds speeds_intra_bytes_per_s, speeds_inter_bytes_per_s;
  std::array<double, 6> nvlink_by_sm_bytes_per_s{};  ///< of one link; sm60, 70, 80, 86, 90, 100

  double base_s(NcclAlgorithm, NcclProtocol) const;
  double hop_s(NcclHop, NcclAlgorithm, NcclProtocol) const;
  /// Of one link of a GPU of this compute capability (80, 90 ...).
  double nvlink_bytes_per_s(int compute_capability) const;
};

/// The row of the tables that a GPU of this compute capability (80, 90 ...) takes.
NcclArch nccl_arch(int compute_capability);

/// A version that ships ("2.28") or a path.  InputError when it is unknown, with the nearest one, or the file is wrong.
NcclConstants load_nccl(const std::string& version_or_path);
std::vector<std::string> nccl_versions();
/// That of version 2.28, read once.
const NcclConstants& default_nccl();

}  // namespace ithaca
