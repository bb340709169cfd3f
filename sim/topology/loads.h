// sim/topology/loads.h -- the load of every link that a group of ranks touches.
//
// A link is an arc of a box, or the up or down link of a pod's leaf.  Its load is in bytes it
// carries while every rank sends one.
#pragma once

#include "sim/topology/topology.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

class Loads {
 public:
  /// Holds the boxes and pods of these ranks.
  Loads(const Topology&, const std::vector<int>& ranks);

  std::size_t boxes() const { return boxes_.size(); }
  std::size_t pods() const { return pods_.size(); }
  /// Where the rank's box and the box's pod stand among those held.
  std::size_t box_of(int rank) const;
  std::size_t pod_of(std::size_t box) const;

  void load_path(std::size_t box, const Path&, bool backward, double bytes);
  void load_uplink(std::size_t pod, std::int64_t rail, double bytes);
  void load_downlink(std::size_t pod, std::int64_t rail, double bytes);

  /// Calls `visit(link, bytes)` for every link of the flow of one byte between two ranks.
  template <class Visit>
  void along(int from, int to, const Visit& visit) const;
  void load(int from, int to) {
    along(from, to, [this](std::size_t link, double bytes) { loads_[link] += bytes; });
  }

  double seconds_per_byte(std::size_t link) const { return loads_[link] * slowness_[link]; }
  std::size_t links() const { return loads_.size(); }
  std::string name_of(std::size_t link) const;

 private:
  template <class Visit>
  void along(std::size_t box, const Path&, bool backward, double bytes, const Visit&) const;
  std::size_t uplink(std::size_t pod, std::int64_t rail) const {
    return boxes_.size() * topology_.arcs() +
           2 * (pod * static_cast<std::size_t>(topology_.rails()) + static_cast<std::size_t>(rail));
  }

  const Topology& topology_;
  std::vector<std::int64_t> boxes_, pods_;  ///< their numbers, by place
  std::vector<std::size_t> place_;          ///< of a box, by number
  std::vector<std::size_t> pod_place_;      ///< of a box's pod, by place of the box
  std::vector<double> loads_, slowness_;    ///< slowness: seconds per byte of a link alone
};

template <class Visit>
void Loads::along(std::size_t box, const Path& path, bool backward, double bytes,
                  const Visit& visit) const {
  for (const Arc arc : path.arcs)
    visit(box * topology_.arcs() + (backward ? arc ^ 1U : arc), bytes * path.cost);
}

template <class Visit>
void Loads::along(int from, int to, const Visit& visit) const {
  const Topology& t = topology_;
  const std::size_t a = box_of(from), b = box_of(to);
  const std::int64_t i = from % t.gpus(), j = to % t.gpus();
  if (a == b) return along(a, t.path(i, j), false, 1, visit);
  const std::int64_t rail = t.rail_of(j);
  const std::vector<Path>&out = t.ways_out(i, rail), &in = t.ways_out(j, rail);
  for (const Path& way : out) along(a, way, false, 1 / static_cast<double>(out.size()), visit);
  for (const Path& way : in) along(b, way, true, 1 / static_cast<double>(in.size()), visit);
  if (pod_of(a) == pod_of(b)) return;
  visit(uplink(pod_of(a), rail), 1);
  visit(uplink(pod_of(b), rail) + 1, 1);
}

}  // namespace ithaca
