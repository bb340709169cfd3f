#include "sim/topology/import.h"

#include "models/error.h"
#include "models/nearest.h"
#include "sim/topology/cluster_box.h"
#include "sim/topology/nccl_graph.h"
#include "sim/topology/topology.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <map>

namespace ithaca {
namespace {

// Ring, Simple protocol, of NCCL 2.28.9 src/graph/tuning.cc, as the presets have them.
constexpr double base_s = 8.4e-6, nvlink_s = 3.4e-6, pcie_s = 5.7e-6, network_s = 14e-6;

constexpr double infinity = std::numeric_limits<double>::infinity();

struct FormatName {
  std::string name;
  ImportFormat format;
  const char* title;
};

const std::vector<FormatName>& formats() {
  static const std::vector<FormatName> all = {
      {"nccl-topo", ImportFormat::nccl_topology, "NCCL topology file"},
      {"nccl-graph", ImportFormat::nccl_graph, "NCCL graph file"},
      {"nvidia-smi", ImportFormat::nvidia_smi, "nvidia-smi topo -m"}};
  return all;
}

ImportFormat format_of(const std::string& content) {
  const std::size_t first = content.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || content[first] != '<') return ImportFormat::nvidia_smi;
  return content.find("<graphs") != std::string::npos ? ImportFormat::nccl_graph
                                                      : ImportFormat::nccl_topology;
}

/// How many GPUs, from the first, all see each other over NVLink; as every block of so many does.
std::int64_t fast_domain(const Topology& t) {
  for (std::int64_t size = t.gpus(); size > 1; --size) {
    if (t.gpus() % size != 0) continue;
    bool all = true;
    for (std::int64_t i = 0; i < t.gpus(); ++i)
      for (std::int64_t j = i / size * size; j < i; ++j)
        all = all && t.path(i, j).type == HopType::nvlink;
    if (all) return size;
  }
  return 1;
}

/// What all NVLinks of the GPU with fewest carry.
double nvlink_rate(const Graph& box) {
  double least = infinity;
  for (const std::size_t gpu : all_of(box, Part::gpu)) {
    double sum = 0;
    for (const auto& e : boost::make_iterator_range(boost::out_edges(gpu, box)))
      if (box[e].medium == Medium::nvlink) sum += box[e].bandwidth_bytes_per_s;
    least = std::min(least, sum);
  }
  return least;
}

/// Of the slowest edge of that kind; infinity without any.
double slowest(const Graph& box, Medium medium, Part end) {
  double least = infinity;
  for (const auto& e : boost::make_iterator_range(boost::edges(box))) {
    const bool ends_there =
        box[boost::source(e, box)].part == end || box[boost::target(e, box)].part == end;
    if (box[e].medium == medium && ends_there)
      least = std::min(least, box[e].bandwidth_bytes_per_s);
  }
  return least;
}

void set_network(Cluster& c) {
  c.inter = {"network",
             c.nic_bytes_per_s * static_cast<double>(c.nics_per_node) /
                 static_cast<double>(c.gpus_per_node),
             network_s, std::nullopt};
}

/// The sockets with GPUs; the number must deal the GPUs evenly to be stated.
void set_sockets(const Graph& box, Cluster& c) {
  const auto sockets = static_cast<std::int64_t>(all_of(box, Part::socket).size());
  if (sockets < 2 || c.gpus_per_node % sockets != 0 || c.fast_domain_gpus == c.gpus_per_node)
    return;
  c.sockets = Sockets{sockets, slowest(box, Medium::socket, Part::socket), 1};
  for (const std::size_t socket : all_of(box, Part::socket))
    c.sockets->peer_cost = std::max(c.sockets->peer_cost, box[socket].peer_cost);
}

/// A machine without NICs gets one beside its first socket, as slow as NCCL then takes it to be.
Graph with_nic(Graph box) {
  if (!all_of(box, Part::nic).empty() || all_of(box, Part::socket).empty()) return box;
  const std::size_t nic = add_part(box, Part::nic), leaf = add_part(box, Part::leaf);
  join(box, all_of(box, Part::socket).front(), nic,
       {Medium::pcie, slowest(box, Medium::pcie, Part::gpu)});
  join(box, nic, leaf, {Medium::network, unknown_nic_bytes_per_s});
  return box;
}

Gpu gpu_of(const ImportRequest& request, const std::string& pci_device) {
  if (request.gpu) return load_gpu(*request.gpu);
  for (const std::string& name : gpu_names())
    if (const Gpu gpu = load_gpu(name); !pci_device.empty() && gpu.pci_device == pci_device)
      return gpu;
  throw InputError("--gpu", fmt::format("expected a GPU of cluster_specs/gpus, got nothing, and "
                                        "{} {}",
                                        request.file,
                                        pci_device.empty()
                                            ? "does not say which it is"
                                            : fmt::format("has the PCI device {} that no preset is",
                                                          in_quotes(pci_device))));
}

/// Whether some ring takes more from one GPU to the next than a mesh of all of them would have there.  Rings that leave
/// the machine do not close.
bool needs_switch(const DumpedGraph& graph, const Gpu& gpu) {
  const std::size_t n = graph.gpus.size();
  if (!gpu.nvlink || n < 3) return false;
  std::map<std::pair<std::int64_t, std::int64_t>, double> taken;
  for (const std::vector<std::int64_t>& ring : graph.rings)
    for (std::size_t i = 0; i + (graph.nics.empty() ? 0 : 1) < n; ++i)
      taken[{ring[i], ring[(i + 1) % n]}] += graph.intra_bytes_per_s;
  const double pair = gpu.nvlink->nccl_bytes_per_s / static_cast<double>(n - 1);
  return std::ranges::any_of(taken, [&](const auto& hop) { return hop.second > 1.001 * pair; });
}

Cluster from_graph(const DumpedGraph& graph, const Gpu& gpu) {
  Cluster c;
  c.gpu = gpu;
  c.gpus_per_node = static_cast<std::int64_t>(graph.gpus.size());
  const bool nvlink = graph.type_intra == "NVL" || graph.type_intra == "NVB";
  c.fast_domain_gpus = nvlink ? c.gpus_per_node : 1;
  const auto channels = static_cast<double>(graph.channels);
  c.intra = {!nvlink                    ? "pcie"
             : needs_switch(graph, gpu) ? "nvswitch"
                                        : "nvlink-mesh",
             channels * graph.intra_bytes_per_s, nvlink ? nvlink_s : pcie_s, std::nullopt};
  c.nics_per_node = static_cast<std::int64_t>(graph.nics.size());
  if (c.nics_per_node > 0)
    c.nic_bytes_per_s = channels * graph.inter_bytes_per_s / static_cast<double>(c.nics_per_node);
  return c;
}

void assume(const ImportRequest& request, bool nic_speeds_known, Imported& imported) {
  Cluster& c = imported.cluster;
  if (c.nics_per_node == 0) {
    c.nics_per_node = 1;
    c.nic_bytes_per_s = unknown_nic_bytes_per_s;
    nic_speeds_known = false;
  }
  if (request.nic_bytes_per_s) {
    c.nic_bytes_per_s = *request.nic_bytes_per_s;
    for (BoxEdge& edge : c.box)
      if (edge.kind == "network") edge.bandwidth_bytes_per_s = c.nic_bytes_per_s;
  } else if (!nic_speeds_known) {
    imported.assumed.emplace_back(
        "the speed of a NIC is not in the file: 10 Gb/s, as NCCL then takes; state it with --nic");
  }
  c.host_memory_bytes =
      request.host_memory_bytes.value_or(2 * c.gpus_per_node * c.gpu.memory_bytes);
  if (!request.host_memory_bytes)
    imported.assumed.emplace_back(
        "the memory of the host is not in the file: twice that of its GPUs; state it with "
        "--host-memory");
  set_network(c);
}

}  // namespace

ImportFormat import_format(const std::string& word) {
  std::vector<std::string> names;
  for (const FormatName& known : formats()) {
    if (known.name == word) return known.format;
    names.push_back(known.name);
  }
  refuse_name(word, names, {}, "--format");
}

Cluster cluster_of(const Machine& machine, const Gpu& gpu) {
  const Graph box = with_nic(machine.box);
  const Topology t(box, "the machine");
  Cluster c;
  c.gpu = gpu;
  c.cpu = machine.cpu.value_or(HostCpu::intel);
  c.gpus_per_node = t.gpus();
  c.fast_domain_gpus = fast_domain(t);
  const Link pcie{"pcie", slowest(machine.box, Medium::pcie, Part::gpu), pcie_s, std::nullopt};
  c.intra = pcie;
  if (c.fast_domain_gpus > 1)
    c.intra = {all_of(machine.box, Part::nvswitch).empty() ? "nvlink-mesh" : "nvswitch",
               nvlink_rate(machine.box), nvlink_s, std::nullopt};
  if (c.fast_domain_gpus > 1 && c.fast_domain_gpus < c.gpus_per_node) c.node = pcie;
  c.nics_per_node = static_cast<std::int64_t>(all_of(machine.box, Part::nic).size());
  if (c.nics_per_node > 0) c.nic_bytes_per_s = slowest(machine.box, Medium::network, Part::nic);
  set_sockets(machine.box, c);
  c.box = edges_of(box);
  return c;
}

Imported import_cluster(const ImportRequest& request) {
  if (request.content.find_first_not_of(" \t\r\n") == std::string::npos)
    throw InputError({request.file, 1, 1}, "",
                     "expected XML of NCCL or the matrix of nvidia-smi topo -m, got an empty file");
  const ImportFormat format = request.format.value_or(format_of(request.content));
  Imported imported;
  bool nic_speeds_known = true;
  if (format == ImportFormat::nccl_graph) {
    const DumpedGraph graph = read_nccl_graph(request.content, request.file);
    imported.cluster = from_graph(graph, gpu_of(request, ""));
  } else {
    const bool matrix = format == ImportFormat::nvidia_smi;
    const Machine machine =
        matrix ? read_smi_matrix(request.content, request.file, gpu_of(request, ""))
               : read_nccl_topology(request.content, request.file);
    imported.cluster = cluster_of(machine, gpu_of(request, machine.pci_device));
    nic_speeds_known = machine.nic_speeds_known;
    if (imported.cluster.sockets && !machine.socket_speed_known)
      imported.assumed.emplace_back(
          "how fast sockets are joined is not in the file: the PCIe rate of one GPU; edit "
          "sockets.bandwidth");
  }
  Cluster& c = imported.cluster;
  c.name = request.name;
  c.source = fmt::format("imported from {}, {}", request.file,
                         std::ranges::find(formats(), format, &FormatName::format)->title);
  c.base_latency_s = base_s;
  assume(request, nic_speeds_known, imported);
  return imported;
}

}  // namespace ithaca
