#include "sim/nccl/cost.h"

#include "sim/nccl/messages.h"
#include "sim/topology/beside.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace ithaca {

/// A group of a mesh.
struct NcclCost::Known {
  const NcclModel* model;
  GroupShape shape;
  std::optional<ShiftRate> shift;
};

struct NcclCost::Memory {
  /// Extents, axes, and the group's position on the other axes.
  using Key = std::tuple<std::vector<int>, AxisList, int>;
  std::mutex mutex;
  std::optional<Topology> topology;  ///< drawn when first needed
  std::map<GroupPlace, NcclModel> models;
  std::map<Key, Known> known;
};

NcclCost::NcclCost(Cluster cluster, NcclMeasurements measured, const NcclConstants& nccl)
    : cluster_(std::move(cluster)),
      measured_(std::move(measured)),
      nccl_(&nccl),
      memory_(std::make_unique<Memory>()) {}

NcclCost::~NcclCost() = default;

NcclCost::Known& NcclCost::known(const Mesh& mesh, const AxisList& axes, int rank) const {
  std::vector<int> extents;
  for (const Mesh::Extent& extent : mesh.extents()) extents.push_back(extent.ranks);
  const std::lock_guard lock(memory_->mutex);
  Memory::Key key{std::move(extents), axes, mesh.position(rank, other_axes(mesh, axes))};
  const auto it = memory_->known.find(key);
  if (it != memory_->known.end()) return it->second;
  if (!memory_->topology) memory_->topology = topology_of(cluster_);
  GroupPlace lies = place_of(*memory_->topology, mesh, axes, rank);
  auto model = memory_->models.find(lies);
  if (model == memory_->models.end()) {
    NcclModel fresh(nccl_group(cluster_, *memory_->topology, lies, *nccl_), *nccl_);
    model = memory_->models.try_emplace(std::move(lies), std::move(fresh)).first;
  }
  const GroupShape shape =
      group_shape(cluster_, mesh.group(rank, axes), std::min(island_gpus(cluster_), mesh.ranks()));
  return memory_->known.try_emplace(std::move(key), Known{&model->second, shape, std::nullopt})
      .first->second;
}

const MeasuredCurve* NcclCost::curve(const char* collective, const GroupShape& shape) const {
  const auto it = measured_.curves.find({collective, shape});
  return it == measured_.curves.end() ? nullptr : &it->second;
}

double NcclCost::seconds(const NcclGroup& group, const MessageTime& time) const {
  return model_time(group, time).seconds(measured_.calibration);
}

NcclTime NcclCost::collective(NcclCollective coll, const Mesh& mesh, const AxisList& axes, int rank,
                              double bytes) const {
  const Known& group = known(mesh, axes, rank);
  NcclTime time = group.model->time(coll, bytes);
  if (const MeasuredCurve* const measured = curve(name_of(coll), group.shape)) {
    time.latency_s = 0;
    time.transfer_s = measured->seconds(bytes);
    return time;
  }
  const auto it = measured_.calibration.find(model_time(group.model->group(), time).link);
  if (it == measured_.calibration.end()) return time;
  time.latency_s *= it->second.latency;
  time.transfer_s *= it->second.transfer;
  return time;
}

double NcclCost::all_to_all_s(const Mesh& mesh, const AxisList& axes, int rank,
                              double bytes) const {
  const Known& group = known(mesh, axes, rank);
  if (const MeasuredCurve* const measured = curve("alltoall", group.shape))
    return measured->seconds(bytes);
  return seconds(group.model->group(), all_to_all(group.model->group(), bytes, *nccl_));
}

int NcclCost::all_to_all_channels(const Mesh& mesh, const AxisList& axes, int rank) const {
  return message_channels(known(mesh, axes, rank).model->group());
}

int NcclCost::shift_channels(const Mesh& mesh, Axis axis, int rank) const {
  return pair_channels(known(mesh, {axis}, rank).model->group(), *nccl_);
}

double NcclCost::shift_s(const Mesh& mesh, Axis axis, int rank, double bytes) const {
  Known& known_group = known(mesh, {axis}, rank);
  if (const MeasuredCurve* const measured = curve("sendrecv", known_group.shape))
    return measured->seconds(bytes);
  const std::lock_guard lock(memory_->mutex);
  if (!known_group.shift) known_group.shift = shift_rate(*memory_->topology, mesh, axis, rank);
  const ShiftRate& rate = *known_group.shift;
  const NcclGroup& group = known_group.model->group();
  double slowest = 0;
  if (std::isfinite(rate.inside_bytes_per_s))
    slowest = seconds(group, inside_message(group, bytes, rate.inside_bytes_per_s, *nccl_));
  if (std::isfinite(rate.leaving_bytes_per_s))
    slowest = std::max(
        slowest, seconds(group, outside_message(group, bytes, rate.leaving_bytes_per_s, *nccl_)));
  return slowest;
}

}  // namespace ithaca
