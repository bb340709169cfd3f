#include "sim/topology/flows.h"

#include "sim/topology/loads.h"

#include <algorithm>
#include <limits>

namespace ithaca {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Hop hop_of(const Topology& t, int from, int to) {
  const std::int64_t i = from % t.gpus(), j = to % t.gpus();
  if (from / t.gpus() == to / t.gpus())
    return {from, to, t.path(i, j).type, false, 0, t.path(i, j).latency_s};
  const Path &out = t.ways_out(i, t.rail_of(j)).front(), &in = t.ways_out(j, t.rail_of(j)).front();
  return {from, to, std::max(out.type, in.type), true, 0, out.latency_s + in.latency_s};
}

/// The slowest link of all.
void take_slowest(const Loads& loads, Routed& routed) {
  double slowest = 0;
  for (std::size_t link = 0; link < loads.links(); ++link) {
    // A few ulps are the order of adding, not a slower link.
    if (loads.seconds_per_byte(link) <= slowest * (1 + 1e-9)) continue;
    slowest = loads.seconds_per_byte(link);
    routed.bottleneck = loads.name_of(link);
  }
  routed.bandwidth_bytes_per_s = slowest > 0 ? 1 / slowest : infinity;
}

/// How many of the group are where: all that an all-to-all depends on.
struct Census {
  std::vector<std::vector<int>> of_box;             ///< ranks
  std::vector<std::vector<double>> by_box, by_pod;  ///< ranks by the rail they receive on
  std::vector<double> by_rail, in_pod;

  Census(const Topology& t, const Loads& loads, const std::vector<int>& ranks)
      : of_box(loads.boxes()),
        by_box(loads.boxes(), std::vector<double>(static_cast<std::size_t>(t.rails()))),
        by_pod(loads.pods(), std::vector<double>(static_cast<std::size_t>(t.rails()))),
        by_rail(static_cast<std::size_t>(t.rails())),
        in_pod(loads.pods()) {
    for (const int rank : ranks) {
      const std::size_t box = loads.box_of(rank), pod = loads.pod_of(box);
      const auto rail = static_cast<std::size_t>(t.rail_of(rank % t.gpus()));
      of_box[box].push_back(rank);
      ++by_box[box][rail];
      ++by_pod[pod][rail];
      ++by_rail[rail];
      ++in_pod[pod];
    }
  }
};

void load_boxes(const Topology& t, const Census& census, double n, Loads& loads, Routed& routed) {
  const auto spread = [&](std::size_t box, const std::vector<Path>& ways, bool backward,
                          double bytes) {
    for (const Path& way : ways)
      loads.load_path(box, way, backward, bytes / static_cast<double>(ways.size()));
    return ways.front().latency_s;
  };
  for (std::size_t box = 0; box < loads.boxes(); ++box)
    for (const int rank : census.of_box[box]) {
      const std::int64_t i = rank % t.gpus();
      for (const int peer : census.of_box[box]) {
        if (peer == rank) continue;
        const Path& path = t.path(i, peer % t.gpus());
        loads.load_path(box, path, false, 1 / n);
        routed.latency_s = std::max(routed.latency_s, path.latency_s);
      }
      const double outside = n - static_cast<double>(census.of_box[box].size());
      if (outside == 0) continue;
      routed.hops_leaving_box += static_cast<std::int64_t>(outside);
      const double in_s = spread(box, t.ways_out(i, t.rail_of(i)), true, outside / n);
      for (std::int64_t rail = 0; rail < t.rails(); ++rail) {
        const auto r = static_cast<std::size_t>(rail);
        const double there = census.by_rail[r] - census.by_box[box][r];
        if (there == 0) continue;
        const double out_s = spread(box, t.ways_out(i, rail), false, there / n);
        routed.latency_s = std::max(routed.latency_s, in_s + out_s);
      }
    }
}

void load_spine(const Topology& t, const Census& census, double n, Loads& loads) {
  for (std::size_t pod = 0; pod < loads.pods() && loads.pods() > 1; ++pod)
    for (std::int64_t rail = 0; rail < t.rails(); ++rail) {
      const auto r = static_cast<std::size_t>(rail);
      const double here = census.by_pod[pod][r], there = census.by_rail[r] - here;
      loads.load_uplink(pod, rail, census.in_pod[pod] * there / n);
      loads.load_downlink(pod, rail, here * (n - census.in_pod[pod]) / n);
    }
}

Loads ring_loads(const Topology& t, const std::vector<int>& ranks) {
  Loads loads(t, ranks);
  for (std::size_t i = 0; i < ranks.size() && ranks.size() > 1; ++i)
    loads.load(ranks[i], ranks[(i + 1) % ranks.size()]);
  return loads;
}

}  // namespace

std::vector<Hop> ring_hops(const Topology& t, const std::vector<int>& ranks) {
  const Loads loads = ring_loads(t, ranks);
  std::vector<Hop> hops;
  for (std::size_t i = 0; i < ranks.size() && ranks.size() > 1; ++i) {
    Hop hop = hop_of(t, ranks[i], ranks[(i + 1) % ranks.size()]);
    double slowest = 0;
    loads.along(hop.from, hop.to, [&](std::size_t link, double) {
      slowest = std::max(slowest, loads.seconds_per_byte(link));
    });
    hop.bandwidth_bytes_per_s = 1 / slowest;
    hops.push_back(hop);
  }
  return hops;
}

Routed ring(const Topology& t, const std::vector<int>& ranks) {
  Routed routed;
  take_slowest(ring_loads(t, ranks), routed);
  for (std::size_t i = 0; i < ranks.size() && ranks.size() > 1; ++i) {
    const Hop hop = hop_of(t, ranks[i], ranks[(i + 1) % ranks.size()]);
    routed.latency_s = std::max(routed.latency_s, hop.latency_s);
    routed.hops_leaving_box += hop.leaves_box ? 1 : 0;
  }
  return routed;
}

Routed all_to_all(const Topology& t, const std::vector<int>& ranks) {
  Routed routed;
  Loads loads(t, ranks);
  if (ranks.size() > 1) {
    const Census census(t, loads, ranks);
    const auto n = static_cast<double>(ranks.size());
    load_boxes(t, census, n, loads, routed);
    load_spine(t, census, n, loads);
  }
  take_slowest(loads, routed);
  return routed;
}

}  // namespace ithaca
