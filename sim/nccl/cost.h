// sim/nccl/cost.h -- seconds of collectives of a program's ranks on a cluster of CUDA GPUs.
//
// The ranks of a mesh do the same at the same time, so groups beside one another share the NICs of their nodes.  Answers
// are kept by the shape of a group: cheap to ask again.
#pragma once

#include "models/mesh.h"
#include "sim/nccl/calibration.h"

#include <map>
#include <mutex>

namespace ithaca {

class NcclCost {
 public:
  /// The GPU of the cluster has a compute capability; rank r is GPU number r.
  explicit NcclCost(Cluster, NcclMeasurements = {}, const NcclConstants& = default_nccl());

  /// `bytes` as NCCL counts them: of the whole tensor.  The choice is NCCL's own; a measured time is all transfer.
  NcclTime collective(NcclCollective, const Mesh&, const std::vector<int>& group,
                      double bytes) const;
  double all_to_all_s(const Mesh&, const std::vector<int>& group, double bytes) const;
  /// Thread blocks of an all-to-all, and of a message to the next rank.
  int all_to_all_channels(const Mesh&, const std::vector<int>& group) const;
  int shift_channels(const Mesh&, const std::vector<int>& group) const;
  /// Every rank of the mesh sends to the next along an axis, around its end.  A rank that sends out of its node has one
  /// NIC, or its share where more of them do: a ring over nodes in order is as slow as that hop.
  double shift_s(const Mesh&, Axis, const std::vector<int>& group, double bytes) const;

 private:
  GroupShape shape(const Mesh&, const std::vector<int>& group) const;
  const NcclModel& model(const GroupShape&) const;
  const MeasuredCurve* curve(const char* collective, const GroupShape&) const;
  double seconds(const NcclGroup&, const MessageTime&) const;
  double nic_bytes_per_s(const Mesh&, Axis, int from) const;

  Cluster cluster_;
  NcclMeasurements measured_;
  const NcclConstants* nccl_;
  mutable std::mutex mutex_;
  mutable std::map<GroupShape, NcclModel> models_;
};

}  // namespace ithaca
