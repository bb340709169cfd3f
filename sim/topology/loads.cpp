#include "sim/topology/loads.h"

#include "models/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {

Loads::Loads(const Topology& topology, const std::vector<int>& ranks) : topology_(topology) {
  for (const int rank : ranks) {
    require(rank >= 0, "a rank is not negative");
    const auto box = static_cast<std::size_t>(rank / topology.gpus());
    if (box >= place_.size()) place_.resize(box + 1, SIZE_MAX);
    if (place_[box] != SIZE_MAX) continue;
    place_[box] = boxes_.size();
    boxes_.push_back(static_cast<std::int64_t>(box));
  }
  for (const std::int64_t box : boxes_) pods_.push_back(topology.pod_of(box));
  std::ranges::sort(pods_);
  pods_.erase(std::ranges::unique(pods_).begin(), pods_.end());
  for (const std::int64_t box : boxes_)
    pod_place_.push_back(static_cast<std::size_t>(
        std::ranges::lower_bound(pods_, topology.pod_of(box)) - pods_.begin()));
  for (std::size_t box = 0; box < boxes_.size(); ++box)
    for (Arc arc = 0; arc < topology.arcs(); ++arc)
      slowness_.push_back(1 / topology.edge(arc).bandwidth_bytes_per_s);
  for (std::size_t pod = 0; pod < pods_.size() && topology.pod_boxes() > 0; ++pod)
    for (std::int64_t rail = 0; rail < topology.rails(); ++rail)
      slowness_.insert(slowness_.end(), 2, 1 / topology.uplink_bytes_per_s(rail));
  loads_.resize(slowness_.size());
}

std::size_t Loads::box_of(int rank) const {
  return place_[static_cast<std::size_t>(rank / topology_.gpus())];
}

std::size_t Loads::pod_of(std::size_t box) const {
  return pod_place_[box];
}

void Loads::load_path(std::size_t box, const Path& path, bool backward, double bytes) {
  along(box, path, backward, bytes,
        [this](std::size_t link, double carried) { loads_[link] += carried; });
}

void Loads::load_uplink(std::size_t pod, std::int64_t rail, double bytes) {
  loads_[uplink(pod, rail)] += bytes;
}

void Loads::load_downlink(std::size_t pod, std::int64_t rail, double bytes) {
  loads_[uplink(pod, rail) + 1] += bytes;
}

std::string Loads::name_of(std::size_t link) const {
  const std::size_t of_boxes = boxes_.size() * topology_.arcs();
  if (link < of_boxes)
    return fmt::format("node {}: {}", boxes_[link / topology_.arcs()],
                       topology_.name_of(link % topology_.arcs()));
  const std::size_t at = (link - of_boxes) / 2;
  const auto rails = static_cast<std::size_t>(topology_.rails());
  return fmt::format("pod {}: {} on rail {}", pods_[at / rails],
                     link % 2 == of_boxes % 2 ? "leaf to spine" : "spine to leaf", at % rails);
}

}  // namespace ithaca
