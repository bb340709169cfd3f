#include "sim/nccl/cost.h"

#include "sim/nccl/messages.h"

#include <algorithm>
#include <utility>

namespace ithaca {

NcclCost::NcclCost(Cluster cluster, NcclMeasurements measured, const NcclConstants& nccl)
    : cluster_(std::move(cluster)), measured_(std::move(measured)), nccl_(&nccl) {}

GroupShape NcclCost::shape(const Mesh& mesh, const std::vector<int>& group) const {
  return group_shape(cluster_, group, std::min(island_gpus(cluster_), mesh.ranks()));
}

const NcclModel& NcclCost::model(const GroupShape& shape) const {
  const std::lock_guard lock(mutex_);
  const auto it = models_.find(shape);
  if (it != models_.end()) return it->second;
  return models_.try_emplace(shape, nccl_group(cluster_, shape, *nccl_), *nccl_).first->second;
}

const MeasuredCurve* NcclCost::curve(const char* collective, const GroupShape& shape) const {
  const auto it = measured_.curves.find({collective, shape});
  return it == measured_.curves.end() ? nullptr : &it->second;
}

double NcclCost::seconds(const NcclGroup& group, const MessageTime& time) const {
  return model_time(group, time).seconds(measured_.calibration);
}

NcclTime NcclCost::collective(NcclCollective coll, const Mesh& mesh, const std::vector<int>& group,
                              double bytes) const {
  const GroupShape of_group = shape(mesh, group);
  const NcclModel& model_of_group = model(of_group);
  NcclTime time = model_of_group.time(coll, bytes);
  if (const MeasuredCurve* const measured = curve(name_of(coll), of_group)) {
    time.latency_s = 0;
    time.transfer_s = measured->seconds(bytes);
    return time;
  }
  const auto it = measured_.calibration.find(model_time(model_of_group.group(), time).link);
  if (it == measured_.calibration.end()) return time;
  time.latency_s *= it->second.latency;
  time.transfer_s *= it->second.transfer;
  return time;
}

double NcclCost::all_to_all_s(const Mesh& mesh, const std::vector<int>& group, double bytes) const {
  const GroupShape of_group = shape(mesh, group);
  if (const MeasuredCurve* const measured = curve("alltoall", of_group))
    return measured->seconds(bytes);
  const NcclGroup& g = model(of_group).group();
  return seconds(g, all_to_all(g, bytes, *nccl_));
}

int NcclCost::all_to_all_channels(const Mesh& mesh, const std::vector<int>& group) const {
  return message_channels(model(shape(mesh, group)).group());
}

int NcclCost::shift_channels(const Mesh& mesh, const std::vector<int>& group) const {
  return pair_channels(model(shape(mesh, group)).group(), *nccl_);
}

double NcclCost::nic_bytes_per_s(const Mesh& mesh, Axis axis, int from) const {
  const int island = island_gpus(cluster_);
  const int first = from / island * island, last = std::min(first + island, mesh.ranks());
  int senders = 0;
  for (int rank = first; rank < last; ++rank)
    senders += mesh.neighbour(rank, axis, 1) / island != rank / island ? 1 : 0;
  return cluster_.inter.bandwidth_bytes_per_s * island / senders;
}

double NcclCost::shift_s(const Mesh& mesh, Axis axis, const std::vector<int>& group,
                         double bytes) const {
  const NcclGroup& g = model(shape(mesh, group)).group();
  const int island = island_gpus(cluster_);
  double slowest = 0;
  bool inside = false;
  int last_node = -1;
  for (const int from : group) {
    if (mesh.neighbour(from, axis, 1) / island == from / island) {
      inside = true;
      continue;
    }
    if (from / island == last_node) continue;  // as much as the one before it
    last_node = from / island;
    const double nic = std::min(g.nic_bytes_per_s, nic_bytes_per_s(mesh, axis, from));
    slowest = std::max(slowest, seconds(g, outside_message(g, bytes, nic, *nccl_)));
  }
  return inside ? std::max(slowest, seconds(g, inside_message(g, bytes, *nccl_))) : slowest;
}

}  // namespace ithaca
