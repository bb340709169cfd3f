#include "models/nearest.h"
#include "sim/nccl/constants.h"
#include "sim/topology/machine.h"
#include "sim/topology/xml.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <set>

namespace ithaca {
namespace {

// Rates of NCCL 2.28.9: src/graph/topo.h (sockets by CPU; NVLink is in cluster_specs/nccl), topo.cc
// (PCIe lanes; a width of 0 counts as 16).
constexpr double local_bytes_per_s = 5000e9;

struct LaneRate {
  const char* name;
  double bytes_per_s;
};
constexpr LaneRate lane_rates[] = {
    {"2.5 GT/s", 0.1875e9},      {"5 GT/s", 0.375e9},        {"8 GT/s", 0.75e9},
    {"16 GT/s", 1.5e9},          {"32 GT/s", 3e9},           {"64 GT/s", 6e9},
    {"2.5 GT/s PCIe", 0.1875e9}, {"5.0 GT/s PCIe", 0.375e9}, {"8.0 GT/s PCIe", 0.75e9},
    {"16.0 GT/s PCIe", 1.5e9},   {"32.0 GT/s PCIe", 3e9},    {"64.0 GT/s PCIe", 6e9}};

double pcie_bytes_per_s(const Xml& pci) {
  std::vector<std::string> names;
  for (const LaneRate& rate : lane_rates) names.emplace_back(rate.name);
  const std::string speed = pci.one_of("link_speed", names);
  const std::int64_t width = pci.integer("link_width", 0, 32);
  const auto rate = std::ranges::find(lane_rates, speed, &LaneRate::name);
  return rate->bytes_per_s * static_cast<double>(width == 0 ? 16 : width);
}

/// Of one socket: how fast another is reached, and what peers below it pay.
struct Cpu {
  double bytes_per_s = local_bytes_per_s, peer_cost = 1;
  HostCpu cpu = HostCpu::other;
};

Cpu cpu_of(const Xml& cpu) {
  constexpr double intel_peer_cost = 1.2;  // INTEL_P2P_OVERHEAD
  const std::string arch = cpu.one_of("arch", {"x86_64", "arm64", "ppc64"});
  if (arch != "x86_64") return {arch == "arm64" ? 6e9 : 32e9, 1, HostCpu::other};
  const std::string vendor =
      cpu.one_of("vendor", {"GenuineIntel", "AuthenticAMD", "CentaurHauls", "  Shanghai  "});
  if (vendor == "AuthenticAMD") return {16e9, 1, HostCpu::amd};
  if (vendor != "GenuineIntel") return {6e9, 1, HostCpu::other};
  const std::int64_t family = cpu.integer("familyid", 0, 255),
                     model = family == 6 ? cpu.integer("modelid", 0, 255) : 0;
  const double rate = model >= 0xCF ? 40e9 : model >= 0x8F ? 22e9 : model >= 0x55 ? 10e9 : 6e9;
  return {rate, intel_peer_cost, HostCpu::intel};
}

class Reader {
 public:
  Machine read(const Xml& system) && {
    std::vector<Cpu> cpus;
    for (const Xml& cpu : system.children({"cpu"})) {
      cpus.push_back(cpu_of(cpu));
      m_.cpu = cpus.back().cpu;
      const std::size_t socket = add_part(m_.box, Part::socket, cpus.back().peer_cost);
      for (std::size_t other = 0; other < sockets_.size(); ++other)
        join(m_.box, sockets_[other], socket,
             {Medium::socket, std::min(cpus[other].bytes_per_s, cpus.back().bytes_per_s)});
      sockets_.push_back(socket);
      for (const Xml& device : cpu.children({"pci", "nic"}))
        device.tag() == "pci" ? pci(device, socket, socket)
                              : nic(device, socket, local_bytes_per_s);
    }
    if (gpus_.empty()) system.fail("expected at least one <gpu> inside, got none");
    for (const Xml& link : nvlinks_) nvlink(link);
    for (const auto& [ends, link] : one_way_)
      link.fail(fmt::format("expected the links back from {}, got none", link.text("target")));
    network();
    return std::move(m_);
  }

 private:
  struct Gpu {
    std::size_t vertex, socket;
    std::int64_t sm;
  };

  static std::string id_of(const Xml& element, const char* attribute) {
    std::string id = element.text(attribute);
    std::ranges::transform(id, id.begin(),
                           [](char c) { return c >= 'A' && c <= 'F' ? c + 32 : c; });
    return id;
  }

  void pci(const Xml& element, std::size_t parent, std::size_t socket) {
    const std::string id = id_of(element, "busid");
    if (!seen_.insert(id).second)
      element.fail("busid", fmt::format("expected every device once, got {} again, a PCIe tree has "
                                        "no cycles",
                                        in_quotes(id)));
    const std::string device_class = element.text("class");
    if (!device_class.starts_with("0x"))
      element.fail("class", fmt::format("expected a PCI class such as 0x060400, got {}",
                                        in_quotes(device_class)));
    const std::vector<Xml> inside = element.children({"pci", "gpu", "nic", "pcilink"});
    const double rate = pcie_bytes_per_s(element);
    const bool leaf = std::ranges::any_of(
        inside, [](const Xml& x) { return x.tag() == "gpu" || x.tag() == "nic"; });
    std::size_t at = parent;
    if (!leaf && !inside.empty()) {
      at = add_part(m_.box, Part::pcie_switch);
      join(m_.box, at, parent, {Medium::pcie, rate});
    }
    for (const Xml& x : inside) {
      if (x.tag() == "pci") pci(x, at, socket);
      if (x.tag() == "gpu") gpu(x, element, parent, socket);
      if (x.tag() == "nic") nic(x, parent, rate);
    }
  }

  void gpu(const Xml& element, const Xml& slot, std::size_t parent, std::size_t socket) {
    const std::int64_t sm = element.integer("sm", 60, 999);
    const std::int64_t dev = element.integer("dev", 0, 1023);
    if (!devices_.insert(dev).second)
      element.fail("dev", fmt::format("expected a number of each GPU's own, got {} again", dev));
    const std::size_t vertex = add_part(m_.box, Part::gpu);
    join(m_.box, vertex, parent, {Medium::pcie, pcie_bytes_per_s(slot)});
    gpus_.insert({id_of(slot, "busid"), {vertex, socket, sm}});
    if (slot.has("device")) m_.pci_device = id_of(slot, "device");
    for (const Xml& link : element.children({"nvlink", "c2c"})) {
      if (link.tag() == "c2c") {
        // In MB/s, src/graph/topo.cc.
        const double rate = link.positive("bw") * 1e6;
        join(m_.box, vertex, socket,
             {Medium::pcie, rate * static_cast<double>(link.integer("count", 1, 64))});
        continue;
      }
      nvlinks_.push_back(link);
      owner_.push_back(id_of(slot, "busid"));
    }
  }

  void nic(const Xml& element, std::size_t parent, double rate) {
    double speed = 0;
    for (const Xml& net : element.children({"net"})) {
      net.integer("dev", 0, 1023);
      const bool known = net.has("speed") && net.integer("speed", 0, 100'000'000) > 0;
      if (!known) m_.nic_speeds_known = false;
      speed += known ? net.positive("speed") * 1e6 / 8 : unknown_nic_bytes_per_s;
    }
    if (speed == 0) return;
    const std::size_t vertex = add_part(m_.box, Part::nic);
    join(m_.box, vertex, parent, {Medium::pcie, rate});
    nics_.emplace_back(vertex, speed);
  }

  void nvlink(const Xml& link) {
    const std::string& from = owner_[done_++];
    const Gpu& gpu = gpus_.at(from);
    const std::string target = id_of(link, "target"), target_class = link.text("tclass");
    const auto count = static_cast<double>(link.integer("count", 1, 64));
    const Edge edge{Medium::nvlink,
                    count * default_nccl().nvlink_bytes_per_s(static_cast<int>(gpu.sm))};
    if (target_class == "0x068000") return join(m_.box, gpu.vertex, nvswitch(), edge);
    if (target_class == "0x068001") return join(m_.box, gpu.vertex, gpu.socket, edge);
    if (!target_class.starts_with("0x03"))
      link.fail(
          "tclass",
          fmt::format("expected 0x03.... (GPU), 0x068000 (NVSwitch) or 0x068001 (CPU), got {}",
                      in_quotes(target_class)));
    if (target == from)
      link.fail("target", fmt::format("expected another GPU, got {} itself", in_quotes(target)));
    const auto peer = gpus_.find(target);
    if (peer == gpus_.end())
      link.fail("target",
                fmt::format("expected the busid of a GPU of this file, got {}", in_quotes(target)));
    const auto back = one_way_.find({target, from});
    if (back == one_way_.end()) {
      one_way_.insert({{from, target}, link});
      return;
    }
    if (back->second.text("count") != link.text("count"))
      link.fail("count", fmt::format("expected the {} links that {} has back, got {}",
                                     back->second.text("count"), target, link.text("count")));
    join(m_.box, gpu.vertex, peer->second.vertex, edge);
    one_way_.erase(back);
  }

  /// NCCL sees all NVSwitches of a machine as one.
  std::size_t nvswitch() {
    if (!nvswitch_) nvswitch_ = add_part(m_.box, Part::nvswitch);
    return *nvswitch_;
  }

  void network() {
    if (nics_.empty()) return;
    const std::size_t leaf = add_part(m_.box, Part::leaf);
    for (const auto& [nic, speed] : nics_) join(m_.box, nic, leaf, {Medium::network, speed});
  }

  Machine m_;
  std::vector<std::size_t> sockets_;
  std::vector<std::pair<std::size_t, double>> nics_;
  std::set<std::string> seen_;
  std::set<std::int64_t> devices_;
  std::map<std::string, Gpu> gpus_;  ///< by busid
  std::vector<Xml> nvlinks_;
  std::vector<std::string> owner_;  ///< of each link
  std::size_t done_ = 0;
  std::map<std::pair<std::string, std::string>, Xml> one_way_;  ///< whose way back was not seen yet
  std::optional<std::size_t> nvswitch_;
};

}  // namespace

Machine read_nccl_topology(const std::string& content, const std::string& file) {
  return Reader().read(Xml::parse(content, file, "system"));
}

}  // namespace ithaca
