#include "sim/topology/topology.h"

#include "models/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

bool through_socket(const Path& path) {
  return path.type == HopType::phb || path.type == HopType::sys;
}

/// What a path is preferred by: not through a socket, short, wide.
bool better(const Path& a, const Path& b) {
  if (through_socket(a) != through_socket(b)) return through_socket(b);
  if (a.bandwidth_bytes_per_s != b.bandwidth_bytes_per_s)
    return a.bandwidth_bytes_per_s > b.bandwidth_bytes_per_s;
  return a.arcs.size() < b.arcs.size();
}

bool equal(const Path& a, const Path& b) {
  return !better(a, b) && !better(b, a);
}

Path joined(const Path& a, const Path& b, HopType type) {
  Path path = a;
  path.arcs.insert(path.arcs.end(), b.arcs.begin(), b.arcs.end());
  path.bandwidth_bytes_per_s = std::min(a.bandwidth_bytes_per_s, b.bandwidth_bytes_per_s);
  path.latency_s += b.latency_s;
  path.cost = 1;
  path.type = type;
  return path;
}

/// The best ways; a direct one is better than a relayed one that is only as good.
std::vector<Path> best_of(std::vector<Path> direct, const std::vector<Path>& relayed) {
  const auto keep_best = [](const std::vector<Path>& all) {
    std::vector<Path> best;
    for (const Path& path : all) {
      if (!best.empty() && better(path, best.front())) best.clear();
      if (best.empty() || equal(path, best.front())) best.push_back(path);
    }
    return best;
  };
  direct = keep_best(direct);
  const std::vector<Path> relay = keep_best(relayed);
  if (direct.empty()) return relay;
  if (relay.empty()) return direct;
  const Path &a = relay.front(), &b = direct.front();
  const bool worth = (!through_socket(a) && through_socket(b)) ||
                     a.bandwidth_bytes_per_s > b.bandwidth_bytes_per_s;
  return worth ? relay : direct;
}

}  // namespace

Topology::Topology(Graph box, const std::string& name, std::int64_t pod_boxes,
                   double oversubscription)
    : box_(std::move(box)),
      edges_(boost::num_edges(box_)),
      ends_(boost::num_edges(box_)),
      gpus_(all_of(box_, Part::gpu)),
      pod_boxes_(pod_boxes),
      oversubscription_(oversubscription) {
  if (gpus_.empty()) throw InputError(name, "expected at least one GPU, got none");
  for (const auto& e : boost::make_iterator_range(boost::edges(box_))) {
    edges_[box_[e].index] = box_[e];
    ends_[box_[e].index] = std::minmax({boost::source(e, box_), boost::target(e, box_)});
  }
  for (const std::size_t gpu : gpus_) paths_.push_back(paths_from(box_, gpu));
  require_joined(name);
  for (const std::size_t leaf : all_of(box_, Part::leaf)) add_rail(leaf);
  for (std::size_t gpu = 0; gpu < gpus_.size(); ++gpu) rail_of_.push_back(nearest_rail(gpu));
}

void Topology::require_joined(const std::string& name) const {
  for (std::size_t a = 0; a < gpus_.size(); ++a)
    for (std::size_t b = 0; b < a; ++b)
      if (paths_[a][gpus_[b]].arcs.empty())
        throw InputError(
            name, fmt::format("expected a path between every two GPUs, got none between {} and "
                              "{}, join them by NVLink, PCIe or sockets",
                              box_[gpus_[b]].name, box_[gpus_[a]].name));
}

void Topology::add_rail(std::size_t leaf) {
  Rail rail;
  for (const auto& e : boost::make_iterator_range(boost::out_edges(leaf, box_)))
    rail.nics.push_back({boost::target(e, box_), box_[e].index, box_[e].bandwidth_bytes_per_s});
  for (std::size_t gpu = 0; gpu < gpus_.size(); ++gpu)
    rail.ways_out.push_back(best_of(direct_ways(gpu, leaf, rail), relayed_ways(gpu, leaf, rail)));
  rails_.push_back(std::move(rail));
}

Path Topology::to_leaf(const Path& to_nic, const Port& port, std::size_t leaf) const {
  const Edge& edge = edges_[port.edge];
  return joined(to_nic,
                {{2 * port.edge + (port.nic < leaf ? 0 : 1)},
                 edge.bandwidth_bytes_per_s,
                 edge.latency_s,
                 1,
                 to_nic.type},
                to_nic.type);
}

std::vector<Path> Topology::direct_ways(std::size_t gpu, std::size_t leaf, const Rail& rail) const {
  std::vector<Path> ways;
  for (const Port& port : rail.nics)
    if (const Path& path = paths_[gpu][port.nic]; !path.arcs.empty())
      ways.push_back(to_leaf(path, port, leaf));
  return ways;
}

std::vector<Path> Topology::relayed_ways(std::size_t gpu, std::size_t leaf,
                                         const Rail& rail) const {
  std::vector<Path> ways;
  for (const Port& port : rail.nics)
    for (std::size_t peer = 0; peer < gpus_.size(); ++peer) {
      const Path &hop = paths_[gpu][gpus_[peer]], &out = paths_[peer][port.nic];
      if (peer == gpu || hop.type != HopType::nvlink) continue;
      if (out.arcs.empty() || through_socket(out)) continue;
      ways.push_back(to_leaf(joined(hop, out, HopType::pxn), port, leaf));
    }
  return ways;
}

std::int64_t Topology::nearest_rail(std::size_t gpu) const {
  std::size_t best = 0;
  for (std::size_t rail = 1; rail < rails_.size(); ++rail) {
    const std::vector<Path>&ways = rails_[rail].ways_out[gpu], &known = rails_[best].ways_out[gpu];
    if (!ways.empty() && (known.empty() || better(ways.front(), known.front()))) best = rail;
  }
  return static_cast<std::int64_t>(best);
}

double Topology::uplink_bytes_per_s(std::int64_t rail) const {
  double nics = 0;
  for (const Port& port : rails_[static_cast<std::size_t>(rail)].nics)
    nics += port.bandwidth_bytes_per_s;
  return nics * static_cast<double>(pod_boxes_) / oversubscription_;
}

const Path& Topology::path(std::int64_t from, std::int64_t to) const {
  return paths_[static_cast<std::size_t>(from)][gpus_[static_cast<std::size_t>(to)]];
}

const std::vector<Path>& Topology::ways_out(std::int64_t gpu, std::int64_t rail) const {
  return rails_[static_cast<std::size_t>(rail)].ways_out[static_cast<std::size_t>(gpu)];
}

std::string Topology::name_of(Arc arc) const {
  auto [from, to] = ends_[arc / 2];
  if (arc % 2 == 1) std::swap(from, to);
  return fmt::format("{} to {}", box_[from].name, box_[to].name);
}

}  // namespace ithaca
