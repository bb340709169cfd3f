#include "sim/nccl/messages.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ithaca {
namespace {

constexpr double nvlink_payload = 0.97;  // of what links of one GPU carry: packet headers
constexpr double ll_bytes =
    16 << 10;  // of a channel, up to which NCCL sends by LL (enqueue.cc:837)
constexpr int most_message_channels = 32;
constexpr int messages_at_once = 8;  // on a channel (src/include/device.h:364)

int power_of_two(int n) {
  return static_cast<int>(std::bit_ceil(static_cast<unsigned>(std::max(1, n))));
}

double first_s(const NcclGroup& group, NcclProtocol p, const NcclConstants& nccl) {
  return group.base_scale * nccl.base_s(NcclAlgorithm::ring, p);
}
double inside_hop_s(const NcclGroup& group, NcclProtocol p, const NcclConstants& nccl) {
  return group.inside_scale * nccl.hop_s(group.inside, NcclAlgorithm::ring, p);
}
double outside_hop_s(const NcclGroup& group, const NcclConstants& nccl) {
  return group.outside_scale * nccl.hop_s(NcclHop::net, NcclAlgorithm::ring, NcclProtocol::simple) +
         2 * group.nic_latency_s;
}

double link_rate(const NcclGroup& group, const NcclConstants& nccl) {
  return nccl.nvlink_bytes_per_s(group.compute_capability);
}

/// What `channels` get out of a bandwidth inside a node.
double driven(const NcclGroup& group, double bytes_per_s, int channels, const NcclConstants& nccl) {
  if (group.inside != NcclHop::nvlink) return bytes_per_s;
  return std::min(nvlink_payload * bytes_per_s, channels * link_rate(group, nccl));
}

}  // namespace

int message_channels(const NcclGroup& group) {
  return std::min(most_message_channels, power_of_two(group.run_channels));
}

int pair_channels(const NcclGroup& group, const NcclConstants& nccl) {
  if (group.nodes > 1 || group.inside != NcclHop::nvlink) return 2;
  const auto links = static_cast<int>(group.pair_bytes_per_s / link_rate(group, nccl) + 1e-9);
  return std::min(message_channels(group), power_of_two(2 * links));
}

MessageTime inside_message(const NcclGroup& group, double bytes, double link_bytes_per_s,
                           const NcclConstants& nccl) {
  const int channels = pair_channels(group, nccl);
  const NcclProtocol p = bytes <= ll_bytes * channels ? NcclProtocol::ll : NcclProtocol::simple;
  return {first_s(group, p, nccl) + inside_hop_s(group, p, nccl),
          bytes / driven(group, link_bytes_per_s, channels, nccl)};
}

MessageTime outside_message(const NcclGroup& group, double bytes, double nic_bytes_per_s,
                            const NcclConstants& nccl) {
  return {first_s(group, NcclProtocol::simple, nccl) + outside_hop_s(group, nccl),
          bytes / nic_bytes_per_s};
}

MessageTime all_to_all(const NcclGroup& group, double bytes, const NcclConstants& nccl) {
  const double n = group.ranks, here = group.fewest_on_node;
  const double outside = group.nodes == 1 ? 0 : bytes * (n - here) / n;
  const double inside = bytes * ((group.nodes == 1 ? n : here) - 1) / n;
  const bool relays = group.inside == NcclHop::nvlink;
  const double passing = relays ? outside * (here - 1) / here : outside;
  const int channels = message_channels(group), each = pair_channels(group, nccl);
  double transfer_s = std::max(bytes / group.exchange_bytes_per_s,
                               bytes / (nvlink_payload * group.exchange_nvlink_bytes_per_s));
  if (relays && inside > 0)
    transfer_s = std::max(transfer_s, (inside + passing) / (channels * link_rate(group, nccl)));
  const double turns = std::ceil((n - 1) / (messages_at_once * std::max(1, channels / each)));
  const NcclProtocol p =
      group.nodes == 1 && bytes / n <= ll_bytes * each ? NcclProtocol::ll : NcclProtocol::simple;
  const double hop_s = group.nodes > 1 ? outside_hop_s(group, nccl) : inside_hop_s(group, p, nccl);
  return {first_s(group, p, nccl) + turns * hop_s, transfer_s};
}

}  // namespace ithaca
