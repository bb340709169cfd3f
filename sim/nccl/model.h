// sim/nccl/model.h -- what NCCL itself expects of a collective, and therefore which algorithm it takes.
//
// NCCL 2.28.9, src/graph/tuning.cc:222-601 and src/enqueue.cc:1822-1911.  Every algorithm and protocol has a latency and a
// bandwidth on a group; NCCL takes the pair of least
//
//     seconds = latency + bytes / bandwidth        bytes: the larger of what a rank gives and gets, nccl-tests' "size"
//
// It is a model to choose by: good to some percent where links bound the time, rough below.  Left out: CollNet's own
// algorithms (a group with SHARP has NVLS over nodes), broadcast and reduce, and kernels over symmetric memory.
#pragma once

#include "sim/nccl/group.h"

#include <array>
#include <optional>

namespace ithaca {

enum class NcclCollective : std::uint8_t { all_gather, reduce_scatter, all_reduce };
const char* name_of(NcclCollective);

/// One way to run a collective, and how long it takes.
struct NcclTime {
  double latency_s = 0, transfer_s = 0;
  NcclAlgorithm algorithm = NcclAlgorithm::ring;
  NcclProtocol protocol = NcclProtocol::simple;
  int channels = 0;  ///< thread blocks, each of which takes an SM; fewer for small messages
  double seconds() const { return latency_s + transfer_s; }
};

class NcclModel {
 public:
  /// The constants must outlive the model.
  explicit NcclModel(NcclGroup, const NcclConstants& = default_nccl());

  /// The least over all; nothing is to do for a group of one.
  NcclTime time(NcclCollective, double bytes) const;
  /// Of one algorithm and protocol; nothing when NCCL would not run it.
  std::optional<NcclTime> time(NcclCollective, double bytes, NcclAlgorithm, NcclProtocol) const;
  const NcclGroup& group() const { return group_; }

 private:
  struct Line {
    double latency_s = 0, bytes_per_s = 0;  ///< 0: not available
  };
  Line line_of(NcclCollective, NcclAlgorithm, NcclProtocol) const;
  bool available(NcclCollective, NcclAlgorithm, NcclProtocol) const;
  double bus_bytes_per_s(NcclCollective, NcclAlgorithm, NcclProtocol) const;
  double ring_bytes_per_s(NcclProtocol) const;
  double tree_bytes_per_s(NcclProtocol) const;
  double nvls_bytes_per_s(NcclCollective, NcclAlgorithm) const;
  double latency_s(NcclCollective, NcclAlgorithm, NcclProtocol) const;
  double ring_latency_s(NcclCollective, NcclProtocol, double inter_s) const;
  int blocks(double bytes, NcclAlgorithm, NcclProtocol) const;
  double ll_most_bytes_per_s() const;
  double most(const NcclConstants::ByArchAndNodes&) const;

  NcclGroup group_;
  const NcclConstants* nccl_;
  std::array<std::array<std::array<Line, 3>, 5>, 3> lines_{};
};

}  // namespace ithaca
