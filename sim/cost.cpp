#include "sim/cost.h"

#include <algorithm>
#include <set>

namespace ithaca {
namespace {

/// Members of the group among the same `size` GPUs as `rank`.
std::int64_t neighbours(const std::vector<int>& group, int rank, std::int64_t size) {
  return std::ranges::count_if(group, [&](int r) { return r / size == rank / size; });
}

/// A copy to or from the host, or work on values that lie there.
bool on_host(const Program& p, const Step& step) {
  return std::holds_alternative<Copy>(step.op) || p[step.out[0]].on_host;
}

NcclCollective nccl_collective(Wire wire) {
  if (wire == Wire::all_gather) return NcclCollective::all_gather;
  return wire == Wire::reduce_scatter ? NcclCollective::reduce_scatter : NcclCollective::all_reduce;
}

/// Of the whole tensor, of which a rank sends all parts but its own; an all-reduce twice.
double nccl_bytes(const Traffic& t) {
  const auto n = static_cast<double>(t.ranks);
  const double once = static_cast<double>(t.sent_bytes) * n / (n - 1);
  return t.wire == Wire::all_reduce ? once / 2 : once;
}

}  // namespace

ClusterCost::ClusterCost(Cluster cluster, NcclMeasurements measured)
    : cluster_(std::move(cluster)),
      kernels_(cluster_.gpu),
      measured_(cluster_.measured_collectives) {
  if (cluster_.gpu.compute_capability == 0) return;
  if (measured.empty()) measured = measurements(cluster_, cluster_.measured_collectives);
  nccl_ = std::make_shared<const NcclCost>(cluster_, std::move(measured));
}

double ClusterCost::host_s(const Work& work) const {
  const std::int64_t copied = work.to_host_bytes + work.from_host_bytes;
  const double bytes = static_cast<double>(copied > 0 ? copied : work.moved_bytes);
  if (!cluster_.gpu.pcie && !cluster_.gpu.nvlink)  // device and host are one
    return 2 * bytes / cluster_.gpu.memory_bandwidth_bytes_per_s;
  return bytes / cluster_.gpu.pcie.value_or(*cluster_.gpu.nvlink).nccl_bytes_per_s;
}

double ClusterCost::ring_s(const std::vector<int>& group, double rounds, double sent_bytes) const {
  double bandwidth = cluster_.intra.bandwidth_bytes_per_s, inside_s = 0, outside_s = 0, leaves = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const int here = group[i], next = group[(i + 1) % group.size()];
    const Link& link = cluster_.link(here, next);
    const bool out = &link == &cluster_.inter;
    const auto together =
        static_cast<double>(out ? neighbours(group, here, cluster_.island_gpus()) : 1);
    bandwidth = std::min(bandwidth, link.bandwidth_bytes_per_s * together);
    leaves += out ? 1 : 0;
    (out ? outside_s : inside_s) = std::max(out ? outside_s : inside_s, link.latency_s);
  }
  const double passes = rounds / static_cast<double>(group.size() - 1);
  const double hops_out = leaves > 0 ? passes * (leaves - 1) : 0;
  return cluster_.base_latency_s + (rounds - hops_out) * inside_s + hops_out * outside_s +
         sent_bytes / bandwidth;
}

double ClusterCost::exchange_s(const std::vector<int>& group, int from, double chunk_bytes) const {
  double intra_bytes = 0, node_bytes = 0, inter_bytes = 0;
  for (const int peer : group) {
    if (peer == from) continue;
    const Link& link = cluster_.link(from, peer);
    (&link == &cluster_.inter   ? inter_bytes
     : &link == &cluster_.intra ? intra_bytes
                                : node_bytes) += chunk_bytes;
  }
  const double inside = intra_bytes / cluster_.intra.bandwidth_bytes_per_s;
  const double between = cluster_.node ? node_bytes / cluster_.node->bandwidth_bytes_per_s : 0;
  return std::max({inside, between, inter_bytes / cluster_.inter.bandwidth_bytes_per_s});
}

double ClusterCost::all_to_all_s(const std::vector<int>& group, const Traffic& t) const {
  const double chunk = static_cast<double>(t.sent_bytes) / static_cast<double>(t.ranks - 1);
  double slowest = 0, latency = 0;
  for (const int member : group) {
    slowest = std::max(slowest, exchange_s(group, member, chunk));
    if (member != group[0]) latency = std::max(latency, cluster_.link(group[0], member).latency_s);
  }
  return cluster_.base_latency_s + latency + slowest;
}

double ClusterCost::hop_s(const Mesh& mesh, const std::vector<int>& group, const Traffic& t) const {
  const auto size = static_cast<int>(cluster_.island_gpus());
  const auto leaves = [&](int rank) {
    return mesh.neighbour(rank, t.axes[0], 1) / size != rank / size;
  };
  double slowest = 0;
  for (const int here : group) {
    const Link& link = cluster_.link(here, mesh.neighbour(here, t.axes[0], 1));
    double bandwidth = link.bandwidth_bytes_per_s;
    if (&link == &cluster_.inter) {
      const int first = here / size * size, last = std::min(first + size, mesh.ranks());
      int senders = 0;
      for (int rank = first; rank < last; ++rank) senders += leaves(rank) ? 1 : 0;
      const double alone = std::max(cluster_.nic_bytes_per_s, bandwidth);
      bandwidth =
          std::min({alone, bandwidth * size / senders, cluster_.intra.bandwidth_bytes_per_s});
    }
    slowest = std::max(slowest, link.latency_s + static_cast<double>(t.sent_bytes) / bandwidth);
  }
  return cluster_.base_latency_s + slowest;
}

MeasuredGroup ClusterCost::measured_group(const Mesh& mesh, const std::vector<int>& group) const {
  const auto island = static_cast<int>(cluster_.island_gpus());
  std::set<int> nodes;
  for (const int rank : group) nodes.insert(rank / island);
  return {std::ssize(group), std::ssize(nodes), std::min(mesh.ranks(), island)};
}

double ClusterCost::alpha_beta_s(const Mesh& mesh, const Traffic& t,
                                 const std::vector<int>& group) const {
  const auto sent = static_cast<double>(t.sent_bytes);
  if (t.wire == Wire::none) return 0;
  const double bytes = t.wire == Wire::send_recv ? sent : nccl_bytes(t);
  if (const auto s = measured_.seconds(t.wire, measured_group(mesh, group), bytes)) return *s;
  const auto rounds = static_cast<double>(t.ranks - 1);
  switch (t.wire) {
    case Wire::none:
      break;
    case Wire::all_gather:
    case Wire::reduce_scatter:
      return ring_s(group, rounds, sent);
    case Wire::all_reduce:
      return ring_s(group, 2 * rounds, sent);
    case Wire::all_to_all:
      return all_to_all_s(group, t);
    case Wire::send_recv:
      return hop_s(mesh, group, t);
  }
  return 0;
}

double ClusterCost::nccl_s(const Mesh& mesh, const Traffic& t, int rank) const {
  if (t.wire == Wire::send_recv)
    return nccl_->shift_s(mesh, t.axes[0], rank, static_cast<double>(t.sent_bytes));
  if (t.wire == Wire::all_to_all) return nccl_->all_to_all_s(mesh, t.axes, rank, nccl_bytes(t));
  return nccl_->collective(nccl_collective(t.wire), mesh, t.axes, rank, nccl_bytes(t)).seconds();
}

double ClusterCost::transfer_s(const Mesh& mesh, const Traffic& t, int rank) const {
  return nccl_ ? nccl_s(mesh, t, rank) : alpha_beta_s(mesh, t, mesh.group(rank, t.axes));
}

double ClusterCost::shift_s(const Mesh& mesh, Axis axis, std::int64_t bytes) const {
  Traffic t;
  t.wire = Wire::send_recv;
  t.axes = {axis};
  t.ranks = mesh.ranks(axis);
  t.sent_bytes = bytes;
  // Boxes are alike, so groups that begin in the first stand for all.
  const auto box = static_cast<int>(std::max(cluster_.gpus_per_node, cluster_.island_gpus()));
  double slowest = 0;
  for (int rank = 0; rank < std::min(box, mesh.ranks()); ++rank)
    if (mesh.coordinate(rank, axis) == 0) slowest = std::max(slowest, transfer_s(mesh, t, rank));
  return slowest;
}

std::optional<NcclTime> ClusterCost::nccl_time(const Program& p, const Step& step, int rank) const {
  const Traffic t = traffic_of(p, step);
  const bool chosen =
      t.wire == Wire::all_gather || t.wire == Wire::reduce_scatter || t.wire == Wire::all_reduce;
  if (!nccl_ || !chosen) return std::nullopt;
  return nccl_->collective(nccl_collective(t.wire), p.mesh(), t.axes, rank, nccl_bytes(t));
}

int ClusterCost::channels(const Program& p, const Step& step, const Traffic& t, int rank) const {
  if (t.wire == Wire::send_recv) return nccl_->shift_channels(p.mesh(), t.axes[0], rank);
  if (t.wire == Wire::all_to_all) return nccl_->all_to_all_channels(p.mesh(), t.axes, rank);
  return nccl_time(p, step, rank)->channels;
}

double ClusterCost::leaves_memory(double moved_bytes, double seconds) const {
  if (moved_bytes <= 0) return 1;
  return std::max(0.5, 1 - moved_bytes / seconds / cluster_.gpu.memory_bandwidth_bytes_per_s);
}

double ClusterCost::leaves(const Program& p, const Step& step, int rank) const {
  const Traffic t = traffic_of(p, step);
  const double seconds = this->seconds(p, step, rank);
  if (!nccl_ || cluster_.gpu.kernels.sms == 0 || seconds <= 0) return 1;
  if (t.wire == Wire::none) {
    const Work work = work_of(p, step, rank);
    return leaves_memory(static_cast<double>(work.to_host_bytes + work.from_host_bytes), seconds);
  }
  const double each = t.wire == Wire::reduce_scatter ? 3 : t.wire == Wire::all_reduce ? 2.5 : 2;
  const double moved_bytes = each * static_cast<double>(t.sent_bytes);
  const auto sms = static_cast<double>(cluster_.gpu.kernels.sms);
  const double left = std::max(1.0, sms - channels(p, step, t, rank));
  return left / sms * leaves_memory(moved_bytes, seconds);
}

double ClusterCost::seconds(const Program& p, const Step& step, int rank) const {
  const Traffic t = traffic_of(p, step);
  if (t.wire == Wire::none)
    return on_host(p, step) ? host_s(work_of(p, step, rank)) : kernels_.seconds(p, step, rank);
  return transfer_s(p.mesh(), t, rank);
}

}  // namespace ithaca
