#include "sim/nccl/model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace ithaca {
namespace {

using enum NcclAlgorithm;
using enum NcclProtocol;

constexpr std::array algorithms{tree, ring, nvls, nvls_tree, pat};
constexpr std::array protocols{ll, ll128, simple};
constexpr std::array collectives{NcclCollective::all_gather, NcclCollective::reduce_scatter,
                                 NcclCollective::all_reduce};

template <class Enum>
constexpr std::size_t index(Enum value) {
  return static_cast<std::size_t>(value);
}

bool is_nvls(NcclAlgorithm a) {
  return a == nvls || a == nvls_tree;
}

double log2_floor(int n) {
  return std::bit_width(static_cast<unsigned>(n)) - 1;
}

/// What a rank sends over what it holds, in rounds of one n-th.
double rounds(NcclCollective coll, int ranks) {
  return (coll == NcclCollective::all_reduce ? 2.0 : 1.0) * (ranks - 1);
}

}  // namespace

const char* name_of(NcclCollective collective) {
  constexpr std::array names{"all_gather", "reduce_scatter", "all_reduce"};
  return names[index(collective)];
}

NcclModel::NcclModel(NcclGroup group, const NcclConstants& nccl)
    : group_(std::move(group)), nccl_(&nccl) {
  if (group_.ranks == 1) return;
  for (const NcclCollective coll : collectives)
    for (const NcclAlgorithm a : algorithms)
      for (const NcclProtocol p : protocols)
        if (available(coll, a, p))
          lines_[index(coll)][index(a)][index(p)] = {latency_s(coll, a, p),
                                                     bus_bytes_per_s(coll, a, p)};
}

double NcclModel::most(const NcclConstants::ByArchAndNodes& table) const {
  const auto arch = index(nccl_arch(group_.compute_capability));
  return table[arch][static_cast<std::size_t>(std::min(group_.nodes, 3) - 1)];
}

/// Beyond one node the table goes by the host's CPU (tuning.cc:252-254).
double NcclModel::ll_most_bytes_per_s() const {
  if (group_.nodes == 1) return most(nccl_->ll_most_bytes_per_s);
  const auto& row = nccl_->ll_most_bytes_per_s[group_.cpu == HostCpu::amd ? 1 : 0];
  return row[static_cast<std::size_t>(std::min(group_.nodes, 3) - 1)];
}

bool NcclModel::available(NcclCollective coll, NcclAlgorithm a, NcclProtocol p) const {
  const bool reduces_all = coll == NcclCollective::all_reduce;
  if (p == ll128 && !group_.ll128) return false;
  if ((is_nvls(a) || a == pat) && p != simple) return false;
  switch (a) {
    case ring:
      return true;
    case tree:
      return reduces_all;
    case pat:
      return !reduces_all && group_.nodes == group_.ranks;
    case nvls_tree:
      return reduces_all && group_.nodes > 1 && group_.nvls.channels >= 2;
    case nvls:
      return group_.nvls.channels >= 2 && (group_.nodes == 1 || group_.sharp);
  }
  return false;
}

double NcclModel::ring_bytes_per_s(NcclProtocol p) const {
  const NcclGraph& g = group_.ring;
  const double bus = g.channels * (group_.nodes <= 2 ? g.intra_bytes_per_s : g.inter_bytes_per_s);
  if (p == simple) return bus;
  if (p == ll128)
    return std::min(0.92 * bus, g.channels * most(nccl_->ring_ll128_most_bytes_per_s));
  return std::min(ll_most_bytes_per_s(), bus / 2);
}

double NcclModel::tree_bytes_per_s(NcclProtocol p) const {
  const NcclGraph& g = group_.tree;
  double bus = g.channels * (group_.nodes <= 2 ? g.intra_bytes_per_s : g.inter_bytes_per_s);
  bus = std::min(0.92 * bus, g.channels * most(nccl_->tree_most_bytes_per_s));
  if (p == ll) bus = std::min(bus / 3.8, ll_most_bytes_per_s());
  if (p == ll128)
    bus = std::min(bus * (group_.nodes == 1 ? 7.0 / 9 : 120.0 / 128),
                   g.channels * most(nccl_->tree_ll128_most_bytes_per_s));
  return group_.plain_tree ? 0.85 * bus : bus;
}

double NcclModel::nvls_bytes_per_s(NcclCollective coll, NcclAlgorithm a) const {
  const NcclGraph& g = group_.nvls;
  const double on_node = static_cast<double>(group_.ranks) / group_.nodes;
  double intra = g.intra_bytes_per_s *
                 nccl_->nvls_efficiency[index(nccl_arch(group_.compute_capability))] *
                 (g.channels - 1) / g.channels;
  intra *= coll == NcclCollective::all_reduce ? 2 : (on_node - 1) / on_node;
  const double inter = g.inter_bytes_per_s * (a == nvls_tree && group_.nodes <= 2 ? 2 : 1);
  const double cap = a == nvls_tree ? most(nccl_->nvls_tree_most_bytes_per_s)
                                    : std::numeric_limits<double>::infinity();
  return g.channels * std::min({intra, inter, cap});
}

double NcclModel::bus_bytes_per_s(NcclCollective coll, NcclAlgorithm a, NcclProtocol p) const {
  const double n = group_.ranks;
  if (a == tree) return 0.5 * tree_bytes_per_s(p);
  if (a == ring) return ring_bytes_per_s(p) * n / rounds(coll, group_.ranks);
  if (a == pat) {
    const NcclGraph& g = group_.tree;
    return 0.75 * g.channels * (group_.nodes <= 2 ? g.intra_bytes_per_s : g.inter_bytes_per_s);
  }
  const double bus = nvls_bytes_per_s(coll, a);
  return coll == NcclCollective::all_reduce ? bus * n / rounds(coll, group_.ranks) : bus;
}

double NcclModel::ring_latency_s(NcclCollective coll, NcclProtocol p, double inter_s) const {
  const double hops = rounds(coll, group_.ranks);
  const double out = group_.nodes == 1 ? 0 : rounds(coll, group_.nodes);
  const double post = group_.nodes == 1 ? 0 : nccl_->post_overhead_s[index(group_.cpu)];
  const double intra_s = group_.inside_scale * std::max(nccl_->hop_s(group_.inside, ring, p),
                                                        post * (p == simple ? 3 : 1));
  return (hops - out) * intra_s + out * inter_s;
}

double NcclModel::latency_s(NcclCollective coll, NcclAlgorithm a, NcclProtocol p) const {
  const double intra_s = group_.inside_scale * nccl_->hop_s(group_.inside, a, p);
  const bool alone = group_.ranks == group_.nodes;  // nothing hides what the network takes
  const double inter_s = group_.outside_scale * nccl_->hop_s(NcclHop::net, alone ? tree : a, p) +
                         group_.nic_latency_s * (p == simple ? 2 : 1);
  const double base_s = group_.base_scale * nccl_->base_s(a, p);
  const double levels = log2_floor(group_.nodes);
  switch (a) {
    case ring:
      return base_s + ring_latency_s(coll, p, inter_s);
    case tree:
      return base_s + 2 * ((group_.ranks / group_.nodes - 1) * intra_s + levels * inter_s);
    case nvls:
      return intra_s + (group_.nodes > 1 ? inter_s : 0);
    case nvls_tree:
      return base_s + intra_s + 2 * levels * inter_s;
    case pat:
      return base_s + levels * inter_s / 3.5 + group_.ranks * 2.8e-6;
  }
  return base_s;
}

/// While there is less work than threads, one channel less (enqueue.cc:1865-1911).
int NcclModel::blocks(double bytes, NcclAlgorithm a, NcclProtocol p) const {
  if (is_nvls(a)) return group_.nvls.channels;
  constexpr double slow = 12e9;  // one PCIe gen 3 (topo.h: PCI_BW)
  const bool few =
      a == ring && p == simple && group_.ring.channels * group_.ring.intra_bytes_per_s <= slow;
  const double threads = p == ll128 ? 640 : few ? 256 : 512;
  const double each = p == simple ? 64 : p == ll && a == ring ? 8.0 * group_.ranks : 8;
  const double needed = std::floor(bytes / (threads * each));
  return static_cast<int>(std::clamp(needed, 1.0, static_cast<double>(group_.run_channels)));
}

std::optional<NcclTime> NcclModel::time(NcclCollective coll, double bytes, NcclAlgorithm a,
                                        NcclProtocol p) const {
  Line line = lines_[index(coll)][index(a)][index(p)];
  if (line.bytes_per_s == 0) return std::nullopt;
  if (a == tree && bytes >= 64) {
    const auto size = static_cast<std::size_t>(std::log2(bytes / 64));
    const auto& correction = nccl_->tree_correction[index(p)];
    if (size < correction.size()) line.bytes_per_s *= correction[size];
  }
  // Plateau of rings between nodes (tuning.cc:594-597).
  if (a == ring && p == simple && group_.nodes > 1 && coll == NcclCollective::all_reduce &&
      bytes / (group_.run_channels * group_.ranks) >= 64)
    line.latency_s *= group_.compute_capability < 80 ? 1.9 : 1.4;
  return NcclTime{line.latency_s, bytes / line.bytes_per_s, a, p, blocks(bytes, a, p)};
}

NcclTime NcclModel::time(NcclCollective coll, double bytes) const {
  std::optional<NcclTime> best;
  for (const NcclAlgorithm a : algorithms)
    for (const NcclProtocol p : protocols) {
      const std::optional<NcclTime> one = time(coll, bytes, a, p);
      if (one && (!best || one->seconds() < best->seconds())) best = one;
    }
  return best.value_or(NcclTime{});
}

}  // namespace ithaca
