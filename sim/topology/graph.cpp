#include "sim/topology/graph.h"

#include <boost/graph/connected_components.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <boost/graph/filtered_graph.hpp>
#include <boost/property_map/function_property_map.hpp>

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <limits>

namespace ithaca {
namespace {

struct Reach {
  int edges = 0;
  double width = std::numeric_limits<double>::infinity();
};

constexpr Reach unreached{std::numeric_limits<int>::max(), 0};

bool nearer(const Reach& a, const Reach& b) {
  return a.edges != b.edges ? a.edges < b.edges : a.width > b.width;
}

/// Edges that leave a vertex which only ends paths are not followed.
struct Passable {
  const Graph* graph = nullptr;
  std::size_t from = 0;
  bool operator()(const Graph::edge_descriptor& edge) const {
    const std::size_t at = boost::source(edge, *graph);
    const Part part = (*graph)[at].part;
    return at == from ||
           (part != Part::gpu && part != Part::nic && part != Part::leaf && part != Part::spine);
  }
};

Graph::edge_descriptor widest_edge(const Graph& g, std::size_t a, std::size_t b) {
  Graph::edge_descriptor best = boost::edge(a, b, g).first;
  for (const auto& e : boost::make_iterator_range(boost::out_edges(a, g))) {
    const bool wider = g[e].bandwidth_bytes_per_s > g[best].bandwidth_bytes_per_s;
    if (boost::target(e, g) == b && wider) best = e;
  }
  return best;
}

/// Of the path's vertices between its ends.
HopType type_of(const Graph& g, const std::vector<std::size_t>& between, Medium first) {
  std::size_t switches = 0, sockets = 0;
  for (const std::size_t v : between) {
    switches += g[v].part == Part::pcie_switch ? 1 : 0;
    sockets += g[v].part == Part::socket ? 1 : 0;
  }
  if (sockets > 1) return HopType::sys;
  if (sockets == 1) return HopType::phb;
  if (first == Medium::nvlink) return HopType::nvlink;
  return switches > 1 ? HopType::pxb : HopType::pix;
}

double peer_cost_of(const Graph& g, const std::vector<std::size_t>& between) {
  double cost = 1;
  for (const std::size_t v : between) cost = std::max(cost, g[v].peer_cost);
  return cost;
}

Path path_to(const Graph& g, std::size_t from, std::size_t to,
             const std::vector<std::size_t>& before) {
  Path path;
  path.bandwidth_bytes_per_s = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> between;
  Medium first = Medium::nvlink;
  for (std::size_t at = to; at != from; at = before[at]) {
    const Edge& edge = g[widest_edge(g, before[at], at)];
    path.arcs.push_back(2 * edge.index + (before[at] < at ? 0 : 1));
    path.bandwidth_bytes_per_s = std::min(path.bandwidth_bytes_per_s, edge.bandwidth_bytes_per_s);
    path.latency_s += edge.latency_s;
    first = edge.medium;
    if (before[at] != from) between.push_back(before[at]);
  }
  std::ranges::reverse(path.arcs);
  path.type = type_of(g, between, first);
  const bool peers = g[from].part == Part::gpu && g[to].part == Part::gpu;
  if (peers && path.type == HopType::phb) path.cost = peer_cost_of(g, between);
  path.bandwidth_bytes_per_s /= path.cost;
  return path;
}

}  // namespace

const char* name_of(Part part) {
  constexpr std::array names = {"GPU", "NVSwitch", "PCIe switch", "socket", "NIC", "leaf", "spine"};
  return names[static_cast<std::size_t>(part)];
}

const char* name_of(HopType type) {
  constexpr std::array names = {"NVL", "PIX", "PXB", "PXN", "PHB", "SYS"};
  return names[static_cast<std::size_t>(type)];
}

std::size_t add_part(Graph& g, Part part, double peer_cost) {
  const std::size_t number = all_of(g, part).size();
  return boost::add_vertex(Vertex{part, fmt::format("{} {}", name_of(part), number), peer_cost}, g);
}

void join(Graph& g, std::size_t a, std::size_t b, const Edge& edge) {
  for (const auto& e : boost::make_iterator_range(boost::out_edges(a, g))) {
    if (boost::target(e, g) != b || g[e].medium != edge.medium) continue;
    g[e].bandwidth_bytes_per_s += edge.bandwidth_bytes_per_s;
    return;
  }
  Edge added = edge;
  added.index = boost::num_edges(g);
  boost::add_edge(a, b, added, g);
}

std::vector<std::size_t> all_of(const Graph& g, Part part) {
  std::vector<std::size_t> found;
  for (std::size_t v = 0; v < boost::num_vertices(g); ++v)
    if (g[v].part == part) found.push_back(v);
  return found;
}

bool is_connected(const Graph& g) {
  std::vector<int> component(boost::num_vertices(g));
  return boost::connected_components(g, component.data()) <= 1;
}

std::vector<Path> paths_from(const Graph& g, std::size_t from) {
  const std::size_t vertices = boost::num_vertices(g);
  std::vector<Reach> reach(vertices);
  std::vector<std::size_t> before(vertices);
  const Passable passable{&g, from};
  const boost::filtered_graph<Graph, Passable> open(g, passable);
  boost::dijkstra_shortest_paths(
      open, from,
      boost::predecessor_map(before.data())
          .distance_map(
              boost::make_iterator_property_map(reach.begin(), get(boost::vertex_index, g)))
          .weight_map(boost::make_function_property_map<Graph::edge_descriptor>(
              [&g](const Graph::edge_descriptor& e) {
                return Reach{1, g[e].bandwidth_bytes_per_s};
              }))
          .distance_compare([](const Reach& a, const Reach& b) { return nearer(a, b); })
          .distance_combine([](const Reach& a, const Reach& b) {
            if (a.edges == unreached.edges) return a;
            return Reach{a.edges + b.edges, std::min(a.width, b.width)};
          })
          .distance_inf(unreached)
          .distance_zero(Reach{}));
  std::vector<Path> paths(vertices);
  for (std::size_t v = 0; v < vertices; ++v)
    if (v != from && reach[v].edges != unreached.edges) paths[v] = path_to(g, from, v, before);
  return paths;
}

}  // namespace ithaca
