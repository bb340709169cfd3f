#include "sim/cost.h"

#include <algorithm>

namespace ithaca {
namespace {

/// Members of the group on the node or domain of `rank`, `size` GPUs each.
std::int64_t neighbours(const std::vector<int>& group, int rank, std::int64_t size) {
  return std::ranges::count_if(group, [&](int r) { return r / size == rank / size; });
}

}  // namespace

ClusterCost::ClusterCost(Cluster cluster) : cluster_(std::move(cluster)) {}

double ClusterCost::kernel_s(const Work& work) const {
  const Gpu& gpu = cluster_.gpu;
  const auto flops = static_cast<double>(work.matmul_flops + work.attention_flops);
  return std::max(flops / gpu.matmul_flops_per_s.value_or(gpu.bf16_flops_per_s),
                  static_cast<double>(work.moved_bytes) / gpu.memory_bandwidth_bytes_per_s);
}

double ClusterCost::ring_s(const std::vector<int>& group, double rounds, double sent_bytes) const {
  double bandwidth = cluster_.intra.bandwidth_bytes_per_s, latency = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const int here = group[i], next = group[(i + 1) % group.size()];
    const Link& link = cluster_.link(here, next);
    const bool leaves = here / cluster_.fast_domain_gpus != next / cluster_.fast_domain_gpus;
    const auto together = static_cast<double>(
        leaves && &link == &cluster_.inter ? neighbours(group, here, cluster_.fast_domain_gpus)
                                           : 1);
    bandwidth = std::min(bandwidth, link.bandwidth_bytes_per_s * together);
    latency = std::max(latency, link.latency_s);
  }
  return cluster_.base_latency_s + rounds * latency + sent_bytes / bandwidth;
}

double ClusterCost::all_to_all_s(const std::vector<int>& group, const Traffic& t) const {
  const auto chunk = static_cast<double>(t.sent_bytes) / static_cast<double>(t.ranks - 1);
  double slowest = 0, latency = 0;
  double to_node = 0, to_inter = 0, to_intra = 0;
  for (const int peer : group) {
    if (peer == group[0]) continue;
    const Link& link = cluster_.link(group[0], peer);
    (&link == &cluster_.inter ? to_inter : &link == &cluster_.intra ? to_intra : to_node) += chunk;
    latency = std::max(latency, link.latency_s);
  }
  slowest = std::max(to_intra / cluster_.intra.bandwidth_bytes_per_s,
                     to_inter / cluster_.inter.bandwidth_bytes_per_s);
  if (cluster_.node) slowest = std::max(slowest, to_node / cluster_.node->bandwidth_bytes_per_s);
  return cluster_.base_latency_s + latency + slowest;
}

double ClusterCost::shift_s(const std::vector<int>& group, const Traffic& t) const {
  double slowest = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const Link& link = cluster_.link(group[i], group[(i + 1) % group.size()]);
    slowest = std::max(
        slowest, link.latency_s + static_cast<double>(t.sent_bytes) / link.bandwidth_bytes_per_s);
  }
  return cluster_.base_latency_s + slowest;
}

double ClusterCost::seconds(const Program& p, const Step& step, int rank) const {
  const Traffic t = traffic_of(p, step);
  const std::vector<int> group = p.mesh().group(rank, t.axes);
  const auto sent = static_cast<double>(t.sent_bytes);
  const auto rounds = static_cast<double>(t.ranks - 1);
  switch (t.wire) {
    case Wire::none:
      return kernel_s(work_of(p, step, rank));
    case Wire::all_gather:
    case Wire::reduce_scatter:
      return ring_s(group, rounds, sent);
    case Wire::all_reduce:
      return ring_s(group, 2 * rounds, sent);
    case Wire::all_to_all:
      return all_to_all_s(group, t);
    case Wire::send_recv:
      return shift_s(group, t);
  }
  return 0;
}

}  // namespace ithaca
