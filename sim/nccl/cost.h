// sim/nccl/cost.h -- seconds of collectives of a program's ranks on a cluster of CUDA GPUs.
//
// The ranks of a mesh do the same at the same time, so groups beside one another share links (sim/topology/beside.h).
// Answers are kept by where a group lies: cheap to ask again.
#pragma once

#include "models/mesh.h"
#include "sim/nccl/calibration.h"

#include <memory>

namespace ithaca {

class NcclCost {
 public:
  /// The GPU of the cluster has a compute capability; rank r is GPU number r.
  explicit NcclCost(Cluster, NcclMeasurements = {}, const NcclConstants& = default_nccl());
  ~NcclCost();

  /// Of the group of `rank` over some axes.  `bytes` as NCCL counts them: of the whole tensor.  The choice is NCCL's own;
  /// a measured time is all transfer.
  NcclTime collective(NcclCollective, const Mesh&, const AxisList&, int rank, double bytes) const;
  double all_to_all_s(const Mesh&, const AxisList&, int rank, double bytes) const;
  /// Thread blocks of an all-to-all, and of a message to the next rank.
  int all_to_all_channels(const Mesh&, const AxisList&, int rank) const;
  int shift_channels(const Mesh&, Axis, int rank) const;
  /// Every rank of the mesh sends to the next along an axis, around its end: the slowest of the group of `rank`.
  double shift_s(const Mesh&, Axis, int rank, double bytes) const;

 private:
  struct Known;
  struct Memory;
  Known& known(const Mesh&, const AxisList&, int rank) const;
  const MeasuredCurve* curve(const char* collective, const GroupShape&) const;
  double seconds(const NcclGroup&, const MessageTime&) const;

  Cluster cluster_;
  NcclMeasurements measured_;
  const NcclConstants* nccl_;
  std::unique_ptr<Memory> memory_;
};

}  // namespace ithaca
