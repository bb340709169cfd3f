#include "sim/topology/ring_search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

namespace ithaca {
namespace {

/// What one byte takes of arcs.
using Use = std::vector<std::pair<Arc, double>>;

/// Of a byte dealt evenly to all these ways.
Use use_of(const std::vector<Path>& ways, bool backward) {
  std::map<Arc, double> parts;
  for (const Path& way : ways)
    for (const Arc arc : way.arcs)
      parts[backward ? arc ^ 1U : arc] += way.cost / static_cast<double>(ways.size());
  return {parts.begin(), parts.end()};
}

class RingSearch {
 public:
  RingSearch(const Topology& t, const std::vector<int>& members, bool leave, RingSpeed speed)
      : t_(t),
        members_(members),
        leave_(leave),
        speed_(speed),
        left_(t.arcs()),
        used_(static_cast<std::size_t>(t.gpus())) {
    for (Arc arc = 0; arc < left_.size(); ++arc) left_[arc] = t.edge(arc).bandwidth_bytes_per_s;
    for (std::size_t i = 0; i < members.size() && leave; ++i) add_ports(members[i]);
  }

  Rings through(std::int64_t most) && {
    return counted(most, [this] { return one(); });
  }
  Rings leaving(std::int64_t most) && {
    return counted(most, [this] { return take_ends(); });
  }

 private:
  /// NCCL compares sums of floats; a rounding is not a lack of bandwidth.
  static constexpr double slack = 1e-6;
  static constexpr int most_tries = 4096;

  /// The NICs of a rail as one GPU sees them.
  struct Port {
    int gpu;
    Use in, out;
  };

  /// NICs of other rails count where no NVLink peer must pass the data on.
  void add_ports(int gpu) {
    for (std::int64_t rail = 0; rail < t_.rails(); ++rail) {
      const std::vector<Path>& ways = t_.ways_out(gpu, rail);
      if (ways.empty() || (rail != t_.rail_of(gpu) && ways.front().type == HopType::pxn)) continue;
      ports_.push_back({gpu, use_of(ways, true), use_of(ways, false)});
    }
  }

  template <class One>
  Rings counted(std::int64_t most, const One& one_more) {
    Rings rings;
    std::vector<double> before;
    while (rings.count < most) {
      before = left_;
      if (!one_more()) break;
      ++rings.count;
    }
    if (rings.count < most) left_ = before;
    rings.taken_bytes_per_s.resize(left_.size());
    for (Arc arc = 0; arc < left_.size(); ++arc)
      rings.taken_bytes_per_s[arc] = t_.edge(arc).bandwidth_bytes_per_s - left_[arc];
    return rings;
  }

  double room(const Use& use) const {
    double room = std::numeric_limits<double>::infinity();
    for (const auto& [arc, part] : use) room = std::min(room, left_[arc] / part);
    return room;
  }
  double room(const Path& path) const {
    double room = std::numeric_limits<double>::infinity();
    for (const Arc arc : path.arcs) room = std::min(room, left_[arc]);
    return room / path.cost;
  }
  void take(const Path& path, double times) {
    for (const Arc arc : path.arcs) left_[arc] -= times * speed_.inside_bytes_per_s * path.cost;
  }

  /// The port with most room, of another GPU than `not_this`.
  const Port* roomiest_port(bool in, int not_this) const {
    const Port* best = nullptr;
    double most = -1;
    for (const Port& port : ports_) {
      const double here = port.gpu == not_this ? -1 : room(in ? port.in : port.out);
      if (here <= most * (1 + slack)) continue;
      best = &port;
      most = here;
    }
    return best;
  }

  bool take_port(const Port* port, bool in) {
    if (port == nullptr) return false;
    const Use& use = in ? port->in : port->out;
    if (room(use) < speed_.leaving_bytes_per_s * (1 - slack)) return false;
    for (const auto& [arc, part] : use) left_[arc] -= speed_.leaving_bytes_per_s * part;
    return true;
  }

  /// Of a group with one GPU here the same lets in and out.
  bool take_ends() {
    const Port* const in = roomiest_port(true, -1);
    if (!take_port(in, true)) return false;
    const Port* const out = roomiest_port(false, members_.size() == 1 ? -1 : in->gpu);
    if (!take_port(out, false)) return false;
    order_ = {in->gpu};
    end_ = out->gpu;
    return true;
  }

  bool one() {
    tries_ = 0;
    order_ = {members_.front()};
    end_ = members_.front();
    if (leave_ && !take_ends()) return false;
    std::fill(used_.begin(), used_.end(), false);
    used_[static_cast<std::size_t>(order_.front())] = true;
    return extend();
  }

  /// Whether the order can be completed, from its last to end_; leaves the links taken if so.
  bool extend() {
    if (order_.size() == members_.size() && leave_) return true;
    if (order_.size() == members_.size()) return step_to(end_, [] { return true; });
    if (++tries_ > most_tries) return false;
    for (const auto& [width, next] : candidates()) {
      used_[static_cast<std::size_t>(next)] = true;
      if (step_to(next, [&] {
            order_.push_back(next);
            if (extend()) return true;
            order_.pop_back();
            return false;
          }))
        return true;
      used_[static_cast<std::size_t>(next)] = false;
    }
    return false;
  }

  template <class Then>
  bool step_to(int next, const Then& then) {
    const Path& path = t_.path(order_.back(), next);
    if (room(path) < speed_.inside_bytes_per_s * (1 - slack)) return false;
    take(path, 1);
    if (then()) return true;
    take(path, -1);
    return false;
  }

  /// Members not yet in order that can be reached, the end of a chain last of all, those with most room first.
  std::vector<std::pair<double, int>> candidates() const {
    std::vector<std::pair<double, int>> next;
    const bool last = order_.size() + 1 == members_.size();
    for (const int gpu : members_) {
      if (used_[static_cast<std::size_t>(gpu)] || (leave_ && !last && gpu == end_)) continue;
      const double width = room(t_.path(order_.back(), gpu));
      constexpr double rounding = 1e4;  // bytes/s
      if (width >= speed_.inside_bytes_per_s * (1 - slack))
        next.emplace_back(std::round(width / rounding), gpu);
    }
    std::ranges::stable_sort(next, std::greater<>{}, &std::pair<double, int>::first);
    return next;
  }

  const Topology& t_;
  const std::vector<int>& members_;
  bool leave_;
  RingSpeed speed_;
  std::vector<double> left_;  ///< of each arc
  std::vector<bool> used_;    ///< by GPU of the box
  std::vector<Port> ports_;
  std::vector<int> order_;
  int end_ = 0, tries_ = 0;
};

}  // namespace

Rings rings_through(const Topology& t, const std::vector<int>& members, bool leave,
                    const RingSpeed& speed, std::int64_t most) {
  return RingSearch(t, members, leave, speed).through(most);
}

Rings rings_leaving(const Topology& t, const std::vector<int>& members, double bytes_per_s,
                    std::int64_t most) {
  return RingSearch(t, members, true, {bytes_per_s, bytes_per_s}).leaving(most);
}

}  // namespace ithaca
