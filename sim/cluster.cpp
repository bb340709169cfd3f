#include "sim/cluster.h"

#include "models/data_dir.h"
#include "models/nearest.h"
#include "models/yaml.h"
#include "sim/topology/cluster_box.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

constexpr std::int64_t most_gpus = 1 << 20;

std::optional<Port> read_port(const Yaml& yaml, std::string_view key, std::string_view detail) {
  const std::optional<Yaml> port = yaml.find(key);
  if (!port) return std::nullopt;
  port->allow({detail, "datasheet", "nccl"});
  const std::int64_t count = port->at(detail).integer(1, 1024);
  return Port{port->at("datasheet").bandwidth_bytes_per_s(),
              port->at("nccl").bandwidth_bytes_per_s(), detail == "links" ? count : 1};
}

/// A preset's name or a path, as `kernels` gives it, or the rates themselves.
KernelRates kernels_of(const Yaml& yaml) {
  if (yaml.is_map()) return read_kernels(yaml);
  const std::string name = yaml.text();
  const std::vector<std::string> known = kernel_names();
  if (!is_path(name) && !std::ranges::binary_search(known, name))
    refuse_name(name, known, yaml.place(), yaml.key());
  return load_kernels(name);
}

Gpu read_gpu(const Yaml& yaml) {
  yaml.allow({"name", "source", "compute_capability", "bf16", "fp8", "matmul", "matmul_source",
              "memory", "memory_source", "memory_bandwidth", "power_w", "nvlink", "pcie", "kernels",
              "pci_device"});
  Gpu gpu;
  gpu.name = yaml.at("name").text();
  gpu.source = yaml.at("source").text();
  if (const auto capability = yaml.find("compute_capability"))
    gpu.compute_capability = static_cast<int>(capability->integer(30, 999));
  gpu.bf16_flops_per_s = yaml.at("bf16").flops_per_s();
  if (const auto fp8 = yaml.find("fp8")) gpu.fp8_flops_per_s = fp8->flops_per_s();
  if (const auto matmul = yaml.find("matmul")) {
    gpu.matmul_flops_per_s = matmul->flops_per_s();
    gpu.matmul_source = yaml.at("matmul_source").text();
    if (*gpu.matmul_flops_per_s > gpu.bf16_flops_per_s)
      matmul->fail(
          fmt::format("expected at most the peak bf16, got {}", in_quotes(matmul->text())));
  }
  gpu.memory_bytes = yaml.at("memory").bytes();
  if (const auto source = yaml.find("memory_source")) gpu.memory_source = source->text();
  gpu.memory_bandwidth_bytes_per_s = yaml.at("memory_bandwidth").bandwidth_bytes_per_s();
  if (const auto power = yaml.find("power_w")) gpu.power_w = power->positive();
  gpu.nvlink = read_port(yaml, "nvlink", "links");
  gpu.pcie = read_port(yaml, "pcie", "generation");
  if (const auto device = yaml.find("pci_device")) gpu.pci_device = device->text();
  if (const auto kernels = yaml.find("kernels"))
    gpu.kernels = kernels_of(*kernels);
  else if (std::ranges::binary_search(kernel_names(), gpu.name))
    gpu.kernels = load_kernels(gpu.name);
  return gpu;
}

Link read_link(const Yaml& yaml) {
  yaml.allow({"kind", "bandwidth", "datasheet", "latency"});
  Link link;
  link.kind = yaml.at("kind").text();
  link.bandwidth_bytes_per_s = yaml.at("bandwidth").bandwidth_bytes_per_s();
  link.latency_s = yaml.at("latency").seconds();
  if (const auto sheet = yaml.find("datasheet"))
    link.datasheet_bytes_per_s = sheet->bandwidth_bytes_per_s();
  return link;
}

/// A preset's name, or the whole description in place.
Gpu gpu_of(const Yaml& yaml) {
  if (yaml.is_map()) return read_gpu(yaml);
  const std::string name = yaml.text();
  const std::vector<std::string> names = gpu_names();
  if (std::ranges::binary_search(names, name)) return load_gpu(name);
  const std::string hint = did_you_mean(name, names);
  yaml.fail(
      fmt::format("expected a GPU of cluster_specs/gpus or its description as a map, got {}{}",
                  in_quotes(name), hint));
}

HostCpu cpu_of(const Yaml& yaml) {
  const std::optional<Yaml> cpu = yaml.find("cpu");
  const std::string name = cpu ? cpu->one_of({"intel", "amd", "arm"}) : "intel";
  return name == "intel" ? HostCpu::intel : name == "amd" ? HostCpu::amd : HostCpu::other;
}

void read_links(const Yaml& links, Cluster& cluster) {
  links.allow({"intra", "node", "inter"});
  cluster.intra = read_link(links.at("intra"));
  cluster.inter = read_link(links.at("inter"));
  const std::optional<Yaml> node = links.find("node");
  if (!node) return;
  if (cluster.fast_domain_gpus >= cluster.gpus_per_node) {
    node->fail("expected no such link where the fast domain holds the whole node");
  }
  cluster.node = read_link(*node);
}

void read_sizes(const Yaml& yaml, Cluster& cluster) {
  cluster.gpus_per_node = yaml.at("gpus_per_node").integer(1, most_gpus);
  cluster.fast_domain_gpus = yaml.at("fast_domain_gpus").integer(1, most_gpus);
  const auto [small, large] = std::minmax(cluster.gpus_per_node, cluster.fast_domain_gpus);
  if (large % small != 0) {
    yaml.at("fast_domain_gpus")
        .fail(fmt::format("expected a divisor or a multiple of gpus_per_node {}, got {}",
                          cluster.gpus_per_node, cluster.fast_domain_gpus));
  }
}

/// The share of a GPU cannot exceed what the NICs of its node carry.
void read_nics(const Yaml& yaml, Cluster& cluster) {
  cluster.nics_per_node = yaml.at("nics_per_node").integer(1, 1024);
  cluster.nic_bytes_per_s = yaml.at("nic").bandwidth_bytes_per_s();
  const double share = static_cast<double>(cluster.nics_per_node) * cluster.nic_bytes_per_s /
                       static_cast<double>(cluster.gpus_per_node);
  if (cluster.inter.bandwidth_bytes_per_s <= share * 1.001) return;
  yaml.at("links")
      .at("inter")
      .at("bandwidth")
      .fail(fmt::format(
          "expected at most {:.6g} GB/s, a GPU's share of the node's NICs, got {:.6g} GB/s",
          share / 1e9, cluster.inter.bandwidth_bytes_per_s / 1e9));
}

Fabric read_fabric(const Yaml& yaml, const Cluster& cluster) {
  yaml.allow({"leaf_gpus", "oversubscription", "rails"});
  Fabric fabric;
  fabric.leaf_gpus = yaml.at("leaf_gpus").integer(1, most_gpus);
  if (fabric.leaf_gpus % cluster.island_gpus() != 0)
    yaml.at("leaf_gpus")
        .fail(fmt::format("expected a multiple of the {} GPUs that NVLink or a node holds, got {}",
                          cluster.island_gpus(), fabric.leaf_gpus));
  if (const auto over = yaml.find("oversubscription")) fabric.oversubscription = over->positive();
  if (const auto rails = yaml.find("rails")) {
    fabric.rails = rails->integer(1, 1024);
    if (cluster.nics_per_node % fabric.rails != 0)
      rails->fail(fmt::format("expected a divisor of nics_per_node {}, got {}",
                              cluster.nics_per_node, fabric.rails));
  }
  return fabric;
}

Sockets read_sockets(const Yaml& yaml, const Cluster& cluster) {
  yaml.allow({"count", "bandwidth", "peer_cost"});
  Sockets sockets;
  sockets.count = yaml.at("count").integer(1, cluster.gpus_per_node);
  if (cluster.gpus_per_node % sockets.count != 0)
    yaml.at("count").fail(fmt::format("expected a divisor of gpus_per_node {}, got {}",
                                      cluster.gpus_per_node, sockets.count));
  sockets.bandwidth_bytes_per_s = yaml.at("bandwidth").bandwidth_bytes_per_s();
  if (const auto cost = yaml.find("peer_cost")) sockets.peer_cost = cost->positive();
  return sockets;
}

CollectiveTable read_table(const Yaml& yaml, const Cluster& cluster) {
  yaml.allow({"collective", "gpus", "nodes", "at_once", "source", "points"});
  CollectiveTable table;
  table.place = yaml.place();
  table.collective =
      yaml.at("collective")
          .one_of({"all_gather", "reduce_scatter", "all_reduce", "alltoall", "sendrecv"});
  table.gpus = static_cast<int>(yaml.at("gpus").integer(2, most_gpus));
  const auto count = [&](std::string_view key, std::int64_t otherwise) {
    const std::optional<Yaml> found = yaml.find(key);
    return static_cast<int>(found ? found->integer(1, most_gpus) : otherwise);
  };
  const std::int64_t island = cluster.island_gpus();
  table.nodes = count("nodes", (table.gpus + island - 1) / island);
  table.at_once = count("at_once", table.gpus);
  table.gpus_per_node = table.gpus / table.nodes;
  if (const auto source = yaml.find("source")) table.source = source->text();
  for (const Yaml& point : yaml.at("points").items()) {
    const std::vector<Yaml> pair = point.items();
    if (pair.size() != 2) point.fail("expected bytes and a time, such as [1 MiB, 35 us]");
    table.points.push_back({static_cast<double>(pair[0].bytes()), pair[1].seconds()});
    if (table.points.back().seconds <= 0) pair[1].fail("expected a time above 0, got 0");
  }
  if (table.points.empty()) yaml.at("points").fail("expected at least one, got none");
  std::ranges::stable_sort(table.points, {}, &CollectivePoint::bytes);
  return table;
}

bool same_group(const CollectiveTable& a, const CollectiveTable& b) {
  return a.collective == b.collective && a.gpus == b.gpus && a.nodes == b.nodes &&
         a.at_once == b.at_once;
}

Cluster read_cluster(const Yaml& yaml) {
  yaml.allow({"name", "source", "gpu", "cpu", "gpus_per_node", "fast_domain_gpus", "host_memory",
              "base_latency", "links", "nics_per_node", "nic", "price", "fabric", "sockets", "box",
              "measured_collectives"});
  Cluster cluster;
  cluster.name = yaml.at("name").text();
  cluster.source = yaml.at("source").text();
  cluster.gpu = gpu_of(yaml.at("gpu"));
  cluster.cpu = cpu_of(yaml);
  read_sizes(yaml, cluster);
  cluster.host_memory_bytes = yaml.at("host_memory").bytes();
  cluster.base_latency_s = yaml.at("base_latency").seconds();
  read_links(yaml.at("links"), cluster);
  read_nics(yaml, cluster);
  if (const auto fabric = yaml.find("fabric")) cluster.fabric = read_fabric(*fabric, cluster);
  if (const auto sockets = yaml.find("sockets")) cluster.sockets = read_sockets(*sockets, cluster);
  if (const auto box = yaml.find("box")) cluster.box = read_box(*box, cluster);
  if (const auto measured = yaml.find("measured_collectives"))
    for (const Yaml& yaml_table : measured->items()) {
      CollectiveTable table = read_table(yaml_table, cluster);
      if (std::ranges::any_of(cluster.measured_collectives,
                              [&](const CollectiveTable& t) { return same_group(t, table); }))
        yaml_table.fail("expected one table of a collective and a group, got another");
      cluster.measured_collectives.push_back(std::move(table));
    }
  if (const auto price = yaml.find("price")) {
    price->allow({"usd_per_node_hour", "source"});
    cluster.price = {price->at("usd_per_node_hour").positive(), price->at("source").text()};
  }
  return cluster;
}

/// The file a user means by a preset name or a path.
std::string path_of(const std::string& name_or_path, const std::string& folder,
                    std::string_view key) {
  const std::vector<std::string> names = data_names(folder);
  if (std::ranges::binary_search(names, name_or_path)) {
    return (data_dir() / folder / (name_or_path + ".yaml")).string();
  }
  if (is_path(name_or_path)) return name_or_path;
  const std::string hint = did_you_mean(name_or_path, names);
  throw InputError(
      key, fmt::format("expected a preset or a YAML file, got {}{}", in_quotes(name_or_path),
                       hint.empty() ? ", see `ithaca clusters`" : hint));
}

}  // namespace

std::int64_t Cluster::island_gpus() const {
  return std::max(gpus_per_node, fast_domain_gpus);
}

const Link& Cluster::link(std::int64_t a, std::int64_t b) const {
  if (a / fast_domain_gpus == b / fast_domain_gpus) return intra;
  if (a / gpus_per_node == b / gpus_per_node) return node ? *node : intra;
  return inter;
}

std::string cluster_path(const std::string& name_or_path) {
  return path_of(name_or_path, "cluster_specs", "cluster");
}

Cluster load_cluster(const std::string& name_or_path) {
  return read_cluster(Yaml::file(cluster_path(name_or_path)));
}

Cluster parse_cluster(const std::string& content, const std::string& name) {
  return read_cluster(Yaml::parse(content, name));
}

Gpu load_gpu(const std::string& name_or_path) {
  return read_gpu(Yaml::file(path_of(name_or_path, "cluster_specs/gpus", "gpu")));
}

std::vector<std::string> cluster_names() {
  return data_names("cluster_specs");
}

std::vector<std::string> gpu_names() {
  return data_names("cluster_specs/gpus");
}

}  // namespace ithaca
