#include "sim/topology/cluster_box.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <numeric>
#include <optional>
#include <set>

namespace ithaca {
namespace {

constexpr std::array parts = {Part::gpu,    Part::nvswitch, Part::pcie_switch,
                              Part::socket, Part::nic,      Part::leaf};
constexpr std::array media = {"nvlink", "pcie", "socket", "network"};

/// A part and its number.
using Named = std::pair<Part, int>;

std::optional<Named> named(const std::string& text) {
  for (const Part part : parts) {
    const std::string prefix = fmt::format("{} ", name_of(part));
    if (!text.starts_with(prefix)) continue;
    int number = -1;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + prefix.size(), end, number);
    if (error == std::errc{} && stop == end && number >= 0) return Named{part, number};
  }
  return std::nullopt;
}

std::string part_name(const Yaml& yaml) {
  if (!named(yaml.text()))
    yaml.fail(
        fmt::format("expected GPU, NVSwitch, PCIe switch, socket, NIC or leaf and a number, "
                    "such as GPU 0, got {}",
                    yaml.text()));
  return yaml.text();
}

Medium medium_of(const std::string& kind) {
  return static_cast<Medium>(std::ranges::find(media, kind) - media.begin());
}

BoxEdge read_edge(const Yaml& yaml) {
  yaml.allow({"from", "to", "kind", "bandwidth"});
  BoxEdge edge{part_name(yaml.at("from")), part_name(yaml.at("to")),
               yaml.at("kind").one_of({"nvlink", "pcie", "socket", "network"}),
               yaml.at("bandwidth").bandwidth_bytes_per_s()};
  if (edge.from == edge.to)
    yaml.at("to").fail(fmt::format("expected another part, got {} itself", edge.to));
  return edge;
}

/// Every part by its number; none may be missing.
std::map<Part, int> numbers_of(const Yaml& yaml, const std::vector<BoxEdge>& edges) {
  std::map<Part, std::set<int>> seen;
  for (const BoxEdge& edge : edges)
    for (const std::string& end : {edge.from, edge.to})
      seen[named(end)->first].insert(named(end)->second);
  std::map<Part, int> counts;
  for (const auto& [part, numbers] : seen) {
    counts[part] = static_cast<int>(numbers.size());
    for (int i = 0; i < counts[part]; ++i)
      if (!numbers.contains(i))
        yaml.fail(fmt::format("expected {0} 0 to {0} {1}, got no {0} {2}", name_of(part),
                              *numbers.rbegin(), i));
  }
  return counts;
}

/// Switches and sockets form trees below the sockets.
void refuse_cycles(const Yaml& yaml, const std::vector<BoxEdge>& edges) {
  std::map<std::string, std::string>
      tree;  // every part's way up to the one that stands for its tree
  const auto root = [&](std::string part) {
    while (tree.contains(part)) part = tree.at(part);
    return part;
  };
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const BoxEdge& edge = edges[i];
    const auto inner = [](const std::string& end) { return named(end)->first != Part::gpu; };
    if (edge.kind != "pcie" || !inner(edge.from) || !inner(edge.to)) continue;
    const std::string a = root(edge.from), b = root(edge.to);
    if (a == b)
      yaml.items()[i].fail(fmt::format("expected a tree of PCIe, got a second way from {} to {}",
                                       edge.from, edge.to));
    tree[a] = b;
  }
}

void refuse_twice(const Yaml& yaml, const std::vector<BoxEdge>& edges) {
  std::set<std::tuple<std::string, std::string, std::string>> seen;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const auto [low, high] = std::minmax(edges[i].from, edges[i].to);
    if (!seen.insert({low, high, edges[i].kind}).second)
      yaml.items()[i].fail(
          fmt::format("expected every edge once, got {} to {} again, add up the "
                      "bandwidths",
                      edges[i].from, edges[i].to));
  }
}

void require_joined(const Yaml& yaml, const Graph& g) {
  const std::vector<std::size_t> gpus = all_of(g, Part::gpu), nics = all_of(g, Part::nic);
  const auto on_leaf = [&](std::size_t nic) {
    const auto ends = boost::make_iterator_range(boost::adjacent_vertices(nic, g));
    return std::ranges::any_of(ends, [&](std::size_t v) { return g[v].part == Part::leaf; });
  };
  for (const std::size_t gpu : gpus) {
    const std::vector<Path> paths = paths_from(g, gpu);
    for (const std::size_t peer : gpus)
      if (peer != gpu && paths[peer].arcs.empty())
        yaml.fail(
            fmt::format("expected a path between every two GPUs, got none between {} and {}, "
                        "join them by NVLink, PCIe or sockets",
                        g[gpu].name, g[peer].name));
    if (std::ranges::none_of(
            nics, [&](std::size_t nic) { return !paths[nic].arcs.empty() && on_leaf(nic); }))
      yaml.fail(
          fmt::format("expected a path from every GPU to a NIC that is joined to a leaf, got "
                      "none from {}",
                      g[gpu].name));
  }
}

/// Hops take the latencies of the file's links: half at either GPU, or half on either side of the leaf.
double latency_s(const Cluster& c, const BoxEdge& edge) {
  const auto ends =
      (named(edge.from)->first == Part::gpu ? 1 : 0) + (named(edge.to)->first == Part::gpu ? 1 : 0);
  const double pcie_s = c.node                    ? c.node->latency_s
                        : c.fast_domain_gpus == 1 ? c.intra.latency_s
                                                  : 0;
  if (edge.kind == "nvlink") return ends * c.intra.latency_s / 2;
  if (edge.kind == "pcie") return ends * pcie_s / 2;
  return edge.kind == "network" ? std::max(0.0, (c.inter.latency_s - pcie_s) / 2) : 0;
}

Graph drawn(const std::vector<BoxEdge>& edges, const Cluster& c) {
  Graph g;
  std::map<Part, std::vector<std::size_t>> at;
  const auto vertex = [&](const std::string& name) {
    const auto [part, number] = *named(name);
    return at.at(part)[static_cast<std::size_t>(number)];
  };
  std::map<Part, int> most;
  for (const BoxEdge& edge : edges)
    for (const std::string& end : {edge.from, edge.to})
      most[named(end)->first] = std::max(most[named(end)->first], named(end)->second + 1);
  for (const auto& [part, count] : most)
    for (int i = 0; i < count; ++i)
      at[part].push_back(
          add_part(g, part, part == Part::socket && c.sockets ? c.sockets->peer_cost : 1));
  for (const BoxEdge& edge : edges)
    join(g, vertex(edge.from), vertex(edge.to),
         {medium_of(edge.kind), edge.bandwidth_bytes_per_s, latency_s(c, edge)});
  return g;
}

}  // namespace

std::vector<BoxEdge> read_box(const Yaml& yaml, const Cluster& cluster) {
  std::vector<BoxEdge> edges;
  for (const Yaml& item : yaml.items()) edges.push_back(read_edge(item));
  const std::map<Part, int> counts = numbers_of(yaml, edges);
  const auto gpus = counts.find(Part::gpu);
  const int here = gpus == counts.end() ? 0 : gpus->second;
  if (here != cluster.gpus_per_node || cluster.island_gpus() != cluster.gpus_per_node)
    yaml.fail(fmt::format("expected the {} GPUs of a node, got {}", cluster.island_gpus(), here));
  const auto leaves = counts.find(Part::leaf);
  if (cluster.fabric && leaves != counts.end() && leaves->second != cluster.fabric->rails)
    yaml.fail(fmt::format("expected the {} leaves that fabric.rails states, got {}",
                          cluster.fabric->rails, leaves->second));
  refuse_twice(yaml, edges);
  refuse_cycles(yaml, edges);
  require_joined(yaml, drawn(edges, cluster));
  return edges;
}

Graph graph_of(const Cluster& cluster) {
  return drawn(cluster.box, cluster);
}

std::vector<BoxEdge> edges_of(const Graph& g) {
  std::vector<BoxEdge> edges;
  for (const auto& e : boost::make_iterator_range(boost::edges(g)))
    edges.push_back({g[boost::source(e, g)].name, g[boost::target(e, g)].name,
                     media[static_cast<std::size_t>(g[e].medium)], g[e].bandwidth_bytes_per_s});
  return edges;
}

}  // namespace ithaca
