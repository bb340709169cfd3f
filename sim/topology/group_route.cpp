#include "sim/topology/group_route.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

namespace ithaca {
namespace {

/// The ranks of each box, as GPUs of the box, in order; boxes with the same ones are one.
std::set<std::vector<int>> kinds_of_box(const Topology& t, const std::vector<int>& ranks) {
  std::map<int, std::vector<int>> by_box;
  const auto gpus = static_cast<int>(t.gpus());
  for (const int rank : ranks) by_box[rank / gpus].push_back(rank % gpus);
  std::set<std::vector<int>> kinds;
  for (auto& [box, members] : by_box) {
    std::ranges::sort(members);
    kinds.insert(members);
  }
  return kinds;
}

/// The best speed that a way leaves a GPU's box with, over all rails; of equal ones every NIC.
double nic_rate(const Topology& t, int gpu) {
  const std::vector<Path>& ways = t.ways_out(gpu, t.rail_of(gpu));
  double sum = 0, first_hop = std::numeric_limits<double>::infinity();
  for (const Path& way : ways) {
    sum += way.bandwidth_bytes_per_s;
    first_hop = std::min(first_hop, t.edge(way.arcs.front()).bandwidth_bytes_per_s);
  }
  return std::min(sum, first_hop);
}

/// Finds rings through the GPUs of one box, each taking `speed` of the links it uses.
class RingSearch {
 public:
  RingSearch(const Topology& t, const std::vector<int>& members, bool leaves, double speed)
      : t_(t), members_(members), leaves_(leaves), speed_(speed), left_(t.arcs()) {
    for (Arc arc = 0; arc < left_.size(); ++arc) left_[arc] = t.edge(arc).bandwidth_bytes_per_s;
  }

  /// How many, at most `most`.
  std::int64_t count(std::int64_t most) {
    std::int64_t found = 0;
    while (found < most && one()) ++found;
    return found;
  }

 private:
  /// NCCL compares sums of floats; a rounding is not a lack of bandwidth.
  static constexpr double slack = 1e-6;
  static constexpr int most_tries = 4096;

  double room(const Path& path, bool backward) const {
    double room = std::numeric_limits<double>::infinity();
    for (const Arc arc : path.arcs) room = std::min(room, left_[backward ? arc ^ 1U : arc]);
    return room / path.cost;
  }
  bool fits(const Path& path, bool backward) const {
    return room(path, backward) >= speed_ * (1 - slack);
  }
  void take(const Path& path, bool backward, double times) {
    for (const Arc arc : path.arcs) left_[backward ? arc ^ 1U : arc] -= times * speed_ * path.cost;
  }

  const Path* roomiest_way(int gpu, bool in) const {
    const Path* best = nullptr;
    for (std::int64_t rail = 0; rail < t_.rails(); ++rail)
      for (const Path& way : t_.ways_out(gpu, rail)) {
        if (rail != t_.rail_of(gpu) && way.type == HopType::pxn) continue;
        if (best == nullptr || room(way, in) > room(*best, in)) best = &way;
      }
    return best;
  }

  /// The member other than `not_this` with most room to a NIC.
  int roomiest_end(bool in, int not_this) const {
    int best = -1;
    double most = -1;
    for (const int gpu : members_) {
      const Path* const way = gpu == not_this ? nullptr : roomiest_way(gpu, in);
      if (way == nullptr || room(*way, in) <= most * (1 + slack)) continue;
      most = room(*way, in);
      best = gpu;
    }
    return best;
  }

  bool one() {
    tries_ = 0;
    order_ = {members_.front()};
    end_ = members_.front();
    if (!leaves_) return extend();
    order_ = {roomiest_end(true, -1)};
    end_ = members_.size() == 1 ? order_.front() : roomiest_end(false, order_.front());
    const Path *in = roomiest_way(order_.front(), true), *out = roomiest_way(end_, false);
    if (in == nullptr || out == nullptr || !fits(*in, true) || !fits(*out, false)) return false;
    take(*in, true, 1);
    take(*out, false, 1);
    return extend();
  }

  /// Whether the order can be completed, from its last to end_; leaves the links taken if so.
  bool extend() {
    if (order_.size() == members_.size() && leaves_) return true;
    if (order_.size() == members_.size()) return step_to(end_, [] { return true; });
    if (++tries_ > most_tries) return false;
    for (const int next : candidates())
      if (step_to(next, [&] {
            order_.push_back(next);
            if (extend()) return true;
            order_.pop_back();
            return false;
          }))
        return true;
    return false;
  }

  template <class Then>
  bool step_to(int next, const Then& then) {
    const Path& path = t_.path(order_.back(), next);
    if (!fits(path, false)) return false;
    take(path, false, 1);
    if (then()) return true;
    take(path, false, -1);
    return false;
  }

  /// Members not yet in order, the end of a chain last of all, those with most room first.
  std::vector<int> candidates() const {
    std::vector<int> next;
    const bool last = order_.size() + 1 == members_.size();
    for (const int gpu : members_)
      if (std::ranges::find(order_, gpu) == order_.end() && (!leaves_ || last || gpu != end_))
        next.push_back(gpu);
    const int here = order_.back();
    std::ranges::stable_sort(next, [&](int a, int b) {
      return room(t_.path(here, a), false) > room(t_.path(here, b), false) * (1 + slack);
    });
    return next;
  }

  const Topology& t_;
  const std::vector<int>& members_;
  bool leaves_;
  double speed_;
  std::vector<double> left_;  ///< of each arc
  std::vector<int> order_;
  int end_ = 0, tries_ = 0;
};

/// Twice the channels of half the speed, where NCCL does so (ncclTopoDupChannels).
Channels doubled(const Channels& found, int sm, std::int64_t most) {
  if (found.bandwidth_bytes_per_s < 25e9) return found;
  if (sm > 80 && found.bandwidth_bytes_per_s < 50e9 && found.count > 4) return found;
  const std::int64_t count = std::min(2 * found.count, most);
  const auto parts = static_cast<double>((count + found.count - 1) / found.count);
  return {count, found.bandwidth_bytes_per_s / parts};
}

Channels channels_of_box(const Topology& t, const std::vector<int>& members, bool leaves,
                         std::span<const double> speeds, int sm) {
  constexpr std::int64_t most = 32;  // MAXCHANNELS / 2, src/init.cc
  Channels best;
  for (const double speed : speeds) {
    if (best.count > 0 && speed < 0.49 * best.bandwidth_bytes_per_s) break;
    const std::int64_t count = RingSearch(t, members, leaves, speed).count(most);
    const double total = static_cast<double>(count) * speed;
    if (total > best.total_bytes_per_s() * (1 + 1e-9)) best = {count, speed};
  }
  return best.count == 0 ? Channels{1, 0.1e9} : doubled(best, sm, most);
}

}  // namespace

GroupRoute route(const Topology& t, const std::vector<int>& ranks) {
  GroupRoute group;
  group.ranks = static_cast<std::int64_t>(ranks.size());
  group.ring = ring(t, ranks);
  std::map<std::int64_t, std::int64_t> boxes;
  for (const int rank : ranks) ++boxes[rank / t.gpus()];
  group.boxes = static_cast<std::int64_t>(boxes.size());
  for (const auto& [box, here] : boxes) group.ranks_per_box = std::max(group.ranks_per_box, here);
  for (const std::vector<int>& members : kinds_of_box(t, ranks))
    for (const int gpu : members) {
      for (const int peer : members)
        if (peer != gpu) group.intra = std::max(group.intra, t.path(gpu, peer).type);
      if (group.boxes == 1) continue;
      const HopType out = t.ways_out(gpu, t.rail_of(gpu)).front().type;
      group.inter = std::max(group.inter.value_or(out), out);
      group.nic_bytes_per_s = std::max(group.nic_bytes_per_s, nic_rate(t, gpu));
    }
  return group;
}

Channels ring_channels(const Topology& t, const std::vector<int>& ranks,
                       std::span<const double> speeds_bytes_per_s, int sm) {
  if (ranks.size() < 2) return {};
  const bool leaves = ring(t, ranks).hops_leaving_box > 0;
  std::optional<Channels> least;
  for (const std::vector<int>& members : kinds_of_box(t, ranks)) {
    const Channels found = channels_of_box(t, members, leaves, speeds_bytes_per_s, sm);
    if (!least || found.total_bytes_per_s() < least->total_bytes_per_s()) least = found;
  }
  return *least;
}

}  // namespace ithaca
