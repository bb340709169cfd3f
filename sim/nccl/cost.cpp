#include "sim/nccl/cost.h"

#include "sim/nccl/messages.h"

#include <algorithm>
#include <utility>

namespace ithaca {

NcclCost::NcclCost(Cluster cluster, const NcclConstants& nccl)
    : cluster_(std::move(cluster)), nccl_(&nccl) {}

const NcclModel& NcclCost::model(const Mesh& mesh, const std::vector<int>& group) const {
  const int sharers = std::min(island_gpus(cluster_), mesh.ranks());
  const GroupShape shape = group_shape(cluster_, group, sharers);
  const std::lock_guard lock(mutex_);
  const auto it = models_.find(shape);
  if (it != models_.end()) return it->second;
  return models_.try_emplace(shape, nccl_group(cluster_, shape, *nccl_), *nccl_).first->second;
}

NcclTime NcclCost::collective(NcclCollective coll, const Mesh& mesh, const std::vector<int>& group,
                              double bytes) const {
  return model(mesh, group).time(coll, bytes);
}

double NcclCost::all_to_all_s(const Mesh& mesh, const std::vector<int>& group, double bytes) const {
  return all_to_all(model(mesh, group).group(), bytes, *nccl_).seconds();
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
  const NcclGroup& g = model(mesh, group).group();
  const int island = island_gpus(cluster_);
  double slowest = 0;
  bool inside = false;
  for (const int from : group) {
    if (mesh.neighbour(from, axis, 1) / island == from / island) {
      inside = true;
      continue;
    }
    const double nic = std::min(g.nic_bytes_per_s, nic_bytes_per_s(mesh, axis, from));
    slowest = std::max(slowest, outside_message(g, bytes, nic, *nccl_).seconds());
  }
  return inside ? std::max(slowest, inside_message(g, bytes, *nccl_).seconds()) : slowest;
}

}  // namespace ithaca
