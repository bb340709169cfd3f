// sim/cost.h -- seconds of one step on one cluster: all that time() asks of hardware.
#pragma once

#include "models/wire.h"
#include "sim/cluster.h"
#include "sim/count.h"
#include "sim/kernels/kernel_model.h"
#include "sim/measured_collectives.h"
#include "sim/nccl/cost.h"

#include <memory>
#include <optional>
#include <vector>

namespace ithaca {

class CostModel {
 public:
  virtual ~CostModel() = default;
  /// Of one step on one rank.  For a collective: from the moment its last rank is ready.
  virtual double seconds(const Program&, const Step&, int rank) const = 0;
  /// What a collective or a copy leaves of the speed of kernels beside it: above 0, 1 when all.
  virtual double leaves(const Program&, const Step&, int) const { return 1; }
};

/// Measured kernels (sim/kernels/kernel_model.h); for collectives what NCCL does (sim/nccl/), or alpha-beta where it
/// does not run: a GPU without a compute capability.
///
///     host        bytes / bandwidth of the GPU's port to it; what the host computes is taken to be bound by the same
///
/// Alpha-beta:
///
///     gather      base + (n-1-k) latency inside + k latency outside + (n-1) chunk / bandwidth   and reduce-scatter
///     all-reduce  the same with twice the hops and bytes
///     all-to-all  base + latency + the slower of the bytes that stay in the fast domain and those that leave it
///     send        base + latency + sent / bandwidth
///
/// k is one less than the hops of the ring that leave a node (NCCL 2.28.9, src/graph/tuning.cc).  A ring over several
/// nodes is as fast as its slowest hop: the NICs of the GPUs it has on a node together, or the link inside.  One rank
/// that sends out of its node alone has a whole NIC, or its share if that is more; many share the node's.
///
/// Where NCCL runs, kernels beside a transfer lose the SMs of its thread blocks and the memory's bandwidth it takes:
///
///     leaves = (1 - channels / SMs) (1 - moved / bandwidth)     moved: twice its bytes/s, three times while it reduces
///
/// A block has an SM for itself (github.com/NVIDIA/nccl issue 689); a byte on the bus is two or three of memory (issue
/// 1428); a copy to or from the host is one.  Memory is shared evenly at worst.  24 channels at 360 GB/s leave an H100's
/// kernels 0.64 of their speed: matrix products are seen to run 30 to 40 % slower (github.com/pytorch/pytorch pull request
/// 179937).
class ClusterCost : public CostModel {
 public:
  /// Rank r is GPU number r of the cluster.  Measurements count where NCCL runs; those of the cluster file when none are
  /// given.  Where it does not run, collectives take what the file's measurements say, else alpha-beta.
  explicit ClusterCost(Cluster cluster, NcclMeasurements measured = {});
  double seconds(const Program&, const Step&, int rank) const override;
  double leaves(const Program&, const Step&, int rank) const override;
  /// How NCCL runs a step that gathers, scatters or reduces; nothing for other steps and without NCCL.
  std::optional<NcclTime> nccl_time(const Program&, const Step&, int rank) const;
  /// Every rank of the mesh sends so much to the next along an axis, around its end: the slowest of them.
  double shift_s(const Mesh&, Axis, std::int64_t bytes) const;

 private:
  double transfer_s(const Mesh&, const Traffic&, int rank) const;
  double nccl_s(const Mesh&, const Traffic&, int rank) const;
  int channels(const Program&, const Step&, const Traffic&, int rank) const;
  double leaves_memory(double moved_bytes, double seconds) const;
  double alpha_beta_s(const Mesh&, const Traffic&, const std::vector<int>& group) const;
  double host_s(const Work&) const;
  double ring_s(const std::vector<int>& group, double rounds, double sent_bytes) const;
  double all_to_all_s(const std::vector<int>& group, const Traffic&) const;
  double exchange_s(const std::vector<int>& group, int from, double chunk_bytes) const;
  double hop_s(const Mesh&, const std::vector<int>& group, const Traffic&) const;
  MeasuredGroup measured_group(const Mesh&, const std::vector<int>& group) const;
  Cluster cluster_;
  KernelModel kernels_;
  std::shared_ptr<const NcclCost> nccl_;  ///< none where NCCL does not run
  MeasuredCollectives measured_;          ///< used where it does not
};

}  // namespace ithaca
