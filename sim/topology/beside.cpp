#include "sim/topology/beside.h"

#include "sim/topology/ring_search.h"

#include <algorithm>
#include <limits>
#include <set>

namespace ithaca {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

using ArcLoads = std::vector<double>;  ///< by arc

void add(ArcLoads& sum, const ArcLoads& more, double times = 1) {
  for (Arc arc = 0; arc < sum.size(); ++arc) sum[arc] += times * more[arc];
}

void load(ArcLoads& loads, const Path& path, bool backward, double bytes) {
  for (const Arc arc : path.arcs) loads[backward ? arc ^ 1U : arc] += bytes * path.cost;
}

void load(ArcLoads& loads, const std::vector<Path>& ways, bool backward, double bytes) {
  for (const Path& way : ways) load(loads, way, backward, bytes / static_cast<double>(ways.size()));
}

/// The arcs from NICs to each leaf.
std::vector<std::set<Arc>> rail_arcs(const Topology& t) {
  std::vector<std::set<Arc>> arcs(static_cast<std::size_t>(t.rails()));
  for (std::int64_t rail = 0; rail < t.rails(); ++rail)
    for (std::int64_t gpu = 0; gpu < t.gpus(); ++gpu)
      for (const Path& way : t.ways_out(gpu, rail))
        arcs[static_cast<std::size_t>(rail)].insert(way.arcs.back());
  return arcs;
}

/// The slowest of a pod's uplinks, in bytes/s of capacity over load, over those of the rails given.
double uplink_rate(const Topology& t, const std::vector<double>& load_of_rail) {
  double rate = infinity;
  for (std::size_t rail = 0; rail < load_of_rail.size(); ++rail)
    if (load_of_rail[rail] > 0)
      rate = std::min(rate,
                      t.uplink_bytes_per_s(static_cast<std::int64_t>(rail)) / load_of_rail[rail]);
  return rate;
}

/// What rings found for `members` take; asked once for each.
template <class Search>
class Taken {
 public:
  explicit Taken(const Search& search) : search_(search) {}
  const ArcLoads& of(const Members& members) {
    const auto known = known_.find(members);
    return known != known_.end() ? known->second
                                 : known_.try_emplace(members, search_(members)).first->second;
  }

 private:
  const Search& search_;
  std::map<Members, ArcLoads> known_;
};

template <class Search>
double share_of(const Topology& t, const GroupPlace& p, const Search& search) {
  Taken<Search> taken(search);
  double share = 1;
  for (const std::vector<Members>& parts : p.kinds) {
    const ArcLoads& own = taken.of(parts.front());
    ArcLoads all(t.arcs());
    for (const Members& part : parts) add(all, taken.of(part));
    for (Arc arc = 0; arc < own.size(); ++arc)
      if (own[arc] > 0) share = std::min(share, t.edge(arc).bandwidth_bytes_per_s / all[arc]);
  }
  if (p.pods.empty()) return share;
  const std::vector<std::set<Arc>> rails = rail_arcs(t);
  for (const auto& pod : p.pods) {
    std::vector<double> up(rails.size());
    for (const auto& [part, times] : pod)
      for (std::size_t rail = 0; rail < rails.size(); ++rail)
        for (const Arc arc : rails[rail]) up[rail] += times * taken.of(part.first)[arc];
    share = std::min(share, uplink_rate(t, up));
  }
  return share;
}

/// How many of the members receive on each rail.
std::vector<double> rails_of(const Topology& t, const Members& members) {
  std::vector<double> rails(static_cast<std::size_t>(t.rails()));
  for (const int gpu : members) ++rails[static_cast<std::size_t>(t.rail_of(gpu))];
  return rails;
}

/// Of an all-to-all in which every rank of the group has one byte; ranks elsewhere receive on the rails of those here.
ArcLoads exchange_loads(const Topology& t, const GroupPlace& p, const Members& members) {
  ArcLoads loads(t.arcs());
  const double n = p.ranks, here = static_cast<double>(members.size());
  const std::vector<double> rails = rails_of(t, members);
  for (const int gpu : members) {
    for (const int peer : members)
      if (peer != gpu) load(loads, t.path(gpu, peer), false, 1 / n);
    if (!p.leaves(members)) continue;
    load(loads, t.ways_out(gpu, t.rail_of(gpu)), true, (n - here) / n);
    for (std::size_t rail = 0; rail < rails.size(); ++rail)
      if (rails[rail] > 0)
        load(loads, t.ways_out(gpu, static_cast<std::int64_t>(rail)), false,
             (n - here) / n * rails[rail] / here);
  }
  return loads;
}

double exchange_uplink_rate(const Topology& t, const GroupPlace& p) {
  double rate = infinity;
  for (const auto& pod : p.pods) {
    std::vector<double> up(static_cast<std::size_t>(t.rails()));
    for (const auto& [part, times] : pod) {
      const auto& [members, here] = part;
      const std::vector<double> rails = rails_of(t, members);
      const double sent = static_cast<double>(times) * here * (p.ranks - here) / p.ranks;
      for (std::size_t rail = 0; rail < up.size(); ++rail)
        up[rail] += sent * rails[rail] / static_cast<double>(members.size());
    }
    rate = std::min(rate, uplink_rate(t, up));
  }
  return rate;
}

/// Loads of the boxes of one group while all ranks of a mesh send along an axis.
class ShiftLoads {
 public:
  ShiftLoads(const Topology& t, const Mesh& mesh, Axis axis)
      : t_(t), mesh_(mesh), axis_(axis), gpus_(static_cast<int>(t.gpus())) {}

  ShiftRate of(const std::vector<int>& group) const {
    ShiftRate rate{infinity, infinity};
    for (std::size_t i = 0; i < group.size();) {
      const ArcLoads loads = loads_of(group[i] / gpus_);
      const int box = group[i] / gpus_;
      for (; i < group.size() && group[i] / gpus_ == box; ++i) take(group[i], loads, rate);
    }
    if (t_.pod_boxes() > 0) take_uplinks(group, rate);
    return rate;
  }

 private:
  int next(int rank) const { return mesh_.neighbour(rank, axis_, 1); }
  int before(int rank) const { return mesh_.neighbour(rank, axis_, -1); }
  bool together(int a, int b) const { return a / gpus_ == b / gpus_; }
  const Path& path(int from, int to) const { return t_.path(from % gpus_, to % gpus_); }
  /// By which a rank sends to one of another box, and by which it receives.
  const std::vector<Path>& out(int from, int to) const {
    return t_.ways_out(from % gpus_, t_.rail_of(to % gpus_));
  }
  const std::vector<Path>& in(int to) const { return out(to, to); }

  ArcLoads loads_of(int box) const {
    ArcLoads loads(t_.arcs());
    for (int rank = box * gpus_; rank < std::min((box + 1) * gpus_, mesh_.ranks()); ++rank) {
      const int to = next(rank);
      if (together(rank, to))
        load(loads, path(rank, to), false, 1);
      else
        load(loads, out(rank, to), false, 1);
      if (!together(rank, before(rank))) load(loads, in(rank), true, 1);
    }
    return loads;
  }

  double rate_on(const Path& path, bool backward, const ArcLoads& loads) const {
    double rate = infinity;
    for (const Arc arc : path.arcs)
      rate = std::min(rate, t_.edge(arc).bandwidth_bytes_per_s / loads[backward ? arc ^ 1U : arc]);
    return rate;
  }

  void take(int rank, const ArcLoads& loads, ShiftRate& rate) const {
    const int to = next(rank);
    double& leaving = rate.leaving_bytes_per_s;
    if (together(rank, to))
      rate.inside_bytes_per_s =
          std::min(rate.inside_bytes_per_s, rate_on(path(rank, to), false, loads));
    else
      for (const Path& way : out(rank, to)) leaving = std::min(leaving, rate_on(way, false, loads));
    if (!together(rank, before(rank)))
      for (const Path& way : in(rank)) leaving = std::min(leaving, rate_on(way, true, loads));
  }

  void take_uplinks(const std::vector<int>& group, ShiftRate& rate) const {
    const int pod_gpus = gpus_ * static_cast<int>(t_.pod_boxes());
    int last = -1;
    for (const int own : group) {
      if (own / pod_gpus == last || own / pod_gpus == next(own) / pod_gpus) continue;
      last = own / pod_gpus;
      std::vector<double> up(static_cast<std::size_t>(t_.rails()));
      for (int rank = last * pod_gpus; rank < std::min((last + 1) * pod_gpus, mesh_.ranks());
           ++rank)
        if (next(rank) / pod_gpus != last)
          ++up[static_cast<std::size_t>(t_.rail_of(next(rank) % gpus_))];
      rate.leaving_bytes_per_s = std::min(rate.leaving_bytes_per_s, uplink_rate(t_, up));
    }
  }

  const Topology& t_;
  const Mesh& mesh_;
  Axis axis_;
  int gpus_;
};

}  // namespace

double ring_share(const Topology& t, const GroupPlace& p, std::int64_t rings, double bytes_per_s) {
  const auto search = [&](const Members& members) {
    return rings_through(t, members, p.leaves(members), {bytes_per_s, bytes_per_s}, rings)
        .taken_bytes_per_s;
  };
  return share_of(t, p, search);
}

double leaving_share(const Topology& t, const GroupPlace& p, std::int64_t rings,
                     double bytes_per_s) {
  const auto search = [&](const Members& members) {
    return p.leaves(members) ? rings_leaving(t, members, bytes_per_s, rings).taken_bytes_per_s
                             : ArcLoads(t.arcs());
  };
  return share_of(t, p, search);
}

ExchangeRate exchange_rate(const Topology& t, const GroupPlace& p) {
  ExchangeRate rate{infinity, infinity};
  for (const std::vector<Members>& parts : p.kinds) {
    const ArcLoads own = exchange_loads(t, p, parts.front());
    ArcLoads all(t.arcs());
    for (const Members& part : parts) add(all, exchange_loads(t, p, part));
    for (Arc arc = 0; arc < own.size(); ++arc) {
      if (own[arc] == 0) continue;
      const Edge& edge = t.edge(arc);
      double& slowest =
          edge.medium == Medium::nvlink ? rate.nvlink_bytes_per_s : rate.other_bytes_per_s;
      slowest = std::min(slowest, edge.bandwidth_bytes_per_s / all[arc]);
    }
  }
  rate.other_bytes_per_s = std::min(rate.other_bytes_per_s, exchange_uplink_rate(t, p));
  return rate;
}

ShiftRate shift_rate(const Topology& t, const Mesh& mesh, Axis axis, int rank) {
  std::vector<int> group = mesh.group(rank, {axis});
  std::ranges::sort(group);
  return ShiftLoads(t, mesh, axis).of(group);
}

}  // namespace ithaca
