#include "sim/topology/nccl_graph.h"

#include "sim/topology/xml.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

constexpr std::int64_t most_devices = 1LL << 62;  // NCCL puts the host into the upper bits

/// The GPUs of a ring; adds its NICs.
std::vector<std::int64_t> ring_gpus(const Xml& channel, std::vector<std::int64_t>& nics) {
  std::vector<std::int64_t> gpus;
  for (const Xml& stop : channel.children({"gpu", "net"})) {
    const std::int64_t dev = stop.integer("dev", 0, most_devices);
    if (stop.tag() == "net") {
      if (std::ranges::find(nics, dev) == nics.end()) nics.push_back(dev);
      continue;
    }
    if (std::ranges::find(gpus, dev) != gpus.end())
      stop.fail("dev", fmt::format("expected every GPU once in a ring, got {} again", dev));
    gpus.push_back(dev);
  }
  if (gpus.empty()) channel.fail("expected at least one <gpu> inside, got none");
  return gpus;
}

DumpedGraph graph_of(const Xml& element) {
  const std::vector<std::string> types = {"LOC", "NVL", "NVB", "C2C", "PIX", "PXB",
                                          "P2C", "PXN", "PHB", "SYS", "NET"};
  DumpedGraph graph;
  graph.channels = element.integer("nchannels", 1, 64);
  graph.intra_bytes_per_s = element.positive("speedintra") * 1e9;
  graph.inter_bytes_per_s = element.positive("speedinter") * 1e9;
  graph.type_intra = element.one_of("typeintra", types);
  graph.type_inter = element.one_of("typeinter", types);
  const std::vector<Xml> channels = element.children({"channel"});
  if (static_cast<std::int64_t>(channels.size()) != graph.channels)
    element.fail("nchannels", fmt::format("expected the number of channels inside, {}, got {}",
                                          channels.size(), graph.channels));
  for (const Xml& channel : channels) {
    graph.rings.push_back(ring_gpus(channel, graph.nics));
    std::vector<std::int64_t> gpus = graph.rings.back();
    std::ranges::sort(gpus);
    if (graph.gpus.empty()) graph.gpus = gpus;
    if (gpus != graph.gpus)
      channel.fail(fmt::format("expected the {} GPUs of the first channel, got {} that differ",
                               graph.gpus.size(), gpus.size()));
  }
  std::ranges::sort(graph.nics);
  return graph;
}

}  // namespace

DumpedGraph read_nccl_graph(const std::string& content, const std::string& file) {
  constexpr std::int64_t ring = 4;  // NCCL_TOPO_PATTERN_RING, src/include/graph.h
  const Xml root = Xml::parse(content, file, "graphs");
  for (const Xml& element : root.children({"graph"}))
    if (element.integer("pattern", 1, 6) == ring) return graph_of(element);
  root.fail("expected a <graph> of pattern 4, the ring, got none");
}

}  // namespace ithaca
