#include "sim/topology/group_route.h"

#include "sim/topology/ring_search.h"

#include <algorithm>
#include <limits>
#include <set>

namespace ithaca {
namespace {

/// The best speed that ways leave a GPU's box with, all of them together.
double rate_of(const Topology& t, const std::vector<Path>& ways) {
  double sum = 0, first_hop = std::numeric_limits<double>::infinity();
  for (const Path& way : ways) {
    sum += way.bandwidth_bytes_per_s;
    first_hop = std::min(first_hop, t.edge(way.arcs.front()).bandwidth_bytes_per_s);
  }
  return std::min(sum, first_hop);
}

void add_inside(const Topology& t, const Members& members, GroupRoute& group) {
  for (const int gpu : members)
    for (const int peer : members) {
      if (peer == gpu) continue;
      const Path& path = t.path(gpu, peer);
      const bool switched = path.type == HopType::nvlink && path.arcs.size() == 2;
      group.intra = std::max(group.intra, path.type);
      group.pair_bytes_per_s = std::min(group.pair_bytes_per_s, path.bandwidth_bytes_per_s);
      group.nvswitch_bytes_per_s =
          switched ? std::min(group.nvswitch_bytes_per_s, path.bandwidth_bytes_per_s) : 0;
    }
}

void add_nics(const Topology& t, const Members& members, GroupRoute& group) {
  std::set<std::vector<Arc>> sets;
  for (const int gpu : members) {
    const std::vector<Path>& ways = t.ways_out(gpu, t.rail_of(gpu));
    std::vector<Arc> nics;
    for (const Path& way : ways) nics.push_back(way.arcs.back());
    sets.insert(nics);
    group.inter = std::max(group.inter.value_or(ways.front().type), ways.front().type);
    group.nic_bytes_per_s = std::max(group.nic_bytes_per_s, rate_of(t, ways));
  }
  const auto here = static_cast<int>(sets.size());
  group.nic_sets = group.nic_sets == 0 ? here : std::min(group.nic_sets, here);
}

/// Twice the channels of half the speed keep more of a GPU busy (ncclTopoDupChannels).
Channels doubled(const Channels& found, int sm, std::int64_t most) {
  if (found.bandwidth_bytes_per_s < 25e9) return found;
  if (sm > 80 && found.bandwidth_bytes_per_s < 50e9 && found.count > 4) return found;
  const std::int64_t count = std::min(2 * found.count, most);
  const auto parts = static_cast<double>((count + found.count - 1) / found.count);
  return {count, found.bandwidth_bytes_per_s / parts};
}

/// The fastest single ring, to a thousandth.
Channels widest(const Topology& t, const Members& members, bool leaves) {
  double low = 0, high = 0;
  for (Arc arc = 0; arc < t.arcs(); ++arc) high = std::max(high, t.edge(arc).bandwidth_bytes_per_s);
  while (high - low > 1e-3 * high) {
    const double middle = (low + high) / 2;
    (rings_through(t, members, leaves, {middle, middle}, 1).count == 1 ? low : high) = middle;
  }
  return {1, low};
}

Channels channels_of_box(const Topology& t, const Members& members, bool leaves,
                         std::span<const double> speeds, int sm) {
  constexpr std::int64_t most = 32;  // MAXCHANNELS / 2, src/init.cc
  Channels best;
  for (const double speed : speeds) {
    if (best.count > 0 && speed < 0.49 * best.bandwidth_bytes_per_s) break;
    const std::int64_t count = rings_through(t, members, leaves, {speed, speed}, most).count;
    const double total = static_cast<double>(count) * speed;
    if (total > best.total_bytes_per_s() * (1 + 1e-9)) best = {count, speed};
  }
  return best.count == 0 ? widest(t, members, leaves) : doubled(best, sm, most);
}

}  // namespace

GroupRoute route(const Topology& t, const GroupPlace& p) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  GroupRoute group;
  group.pair_bytes_per_s = group.nvswitch_bytes_per_s = infinity;
  for (const std::vector<Members>& parts : p.kinds) {
    add_inside(t, parts.front(), group);
    if (p.boxes > 1) add_nics(t, parts.front(), group);
  }
  if (p.most == 1) group.pair_bytes_per_s = group.nvswitch_bytes_per_s = 0;
  return group;
}

Channels ring_channels(const Topology& t, const GroupPlace& p,
                       std::span<const double> speeds_bytes_per_s, int sm) {
  if (p.ranks < 2) return {};
  std::optional<Channels> least;
  for (const std::vector<Members>& parts : p.kinds) {
    const Channels found = channels_of_box(t, parts.front(), p.boxes > 1, speeds_bytes_per_s, sm);
    if (!least || found.total_bytes_per_s() < least->total_bytes_per_s()) least = found;
  }
  return *least;
}

}  // namespace ithaca
