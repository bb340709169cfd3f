#include "runtime/calibrate/machine_text.h"

#include <ctime>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sched.h>
#include <thread>
#include <unistd.h>

namespace ithaca {
namespace {

/// Between double quotes, as YAML and JSON both read it.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump();
}

std::string time_text(double seconds) {
  return fmt::format("{:.4g} us", seconds * 1e6);
}

std::string rate_text(double bytes_per_s) {
  return fmt::format("{:.4g} GB/s", bytes_per_s / 1e9);
}

template <class Points>
std::string points_text(const Points& points) {
  std::string text;
  for (const auto& point : points)
    text += fmt::format("{}[{:.0f} B, {}]", text.empty() ? "" : ", ", point.bytes,
                        time_text(point.seconds));
  return '[' + text + ']';
}

std::string products_text(const MeasuredProducts& t) {
  std::string text = fmt::format("      - dtype: {}\n        sizes: [{}]\n        gflop_per_s:\n",
                                 name_of(t.dtype), fmt::join(t.sizes, ", "));
  const std::size_t n = t.sizes.size();
  for (std::size_t row = 0; row < n * n; ++row) {
    text += row == 0 ? "          [" : "           ";
    for (std::size_t k = 0; k < n; ++k)
      text += fmt::format("{:.4g}{}", t.flops_per_s[row * n + k] / 1e9,
                          row + 1 == n * n && k + 1 == n ? "]" : ", ");
    text += fmt::format("  # m = {}, n = {}\n", t.sizes[row / n], t.sizes[row % n]);
  }
  return text;
}

std::string kernels_text(const MeasuredKernels& k) {
  std::string text =
      fmt::format("    tables:\n      cores: {}\n      products:  # by k\n", k.cores);
  for (const MeasuredProducts& t : k.products) text += products_text(t);
  text += "      attention:\n";
  for (const MeasuredAttention& a : k.attention)
    text += fmt::format(
        "      - {{dtype: {}, pass: {}, mask: {}, head_dim: {}, rate: {:.4g} GFLOP/s, overhead: "
        "{:.4g}}}\n",
        name_of(a.dtype), a.backward ? "backward" : "forward", a.causal ? "causal" : "full",
        a.head_dim, a.flops_per_s / 1e9, a.overhead_keys);
  text += "      others:\n";
  for (const MeasuredOp& op : k.others)
    text += fmt::format("      - {{op: {}, dtype: {}, points: {}}}\n", op.op, name_of(op.dtype),
                        points_text(op.points));
  text += "      at_once:  # times as long as one rank alone\n";
  for (const Slowdown& s : k.at_once)
    text +=
        fmt::format("      - {{ranks: {}, products: {:.4g}, attention: {:.4g}, others: {:.4g}}}\n",
                    s.ranks, s.products, s.attention, s.others);
  return text;
}

std::string gpu_text(const MeasuredMachine& m, const MachineFacts& facts) {
  return fmt::format(
      "gpu:  # one rank\n"
      "  name: {}\n"
      "  source: \"measured, see above\"\n"
      "  bf16: {:.4g} GFLOP/s  # the best product of f32: bf16 does not run here\n"
      "  memory: {} B  # of the machine, shared evenly\n"
      "  memory_bandwidth: {}  # the largest addition of a rank alone\n"
      "  kernels:\n"
      "    name: {}\n"
      "    source: \"measured, see above\"\n"
      "    peak: {:.4g} GFLOP/s\n"
      "    launch: {}  # of the smallest step\n",
      quoted(facts.cpu), m.peak_flops_per_s / 1e9, facts.memory_bytes / facts.ranks,
      rate_text(m.memory_bytes_per_s), quoted(facts.cpu), m.peak_flops_per_s / 1e9,
      time_text(m.kernels.launch_s));
}

std::string links_text(const MeasuredMachine& m, const MachineFacts& facts) {
  const std::string bandwidth = rate_text(m.link_bandwidth_bytes_per_s);
  const std::string link =
      fmt::format("    bandwidth: {}\n    latency: {}\n", bandwidth, time_text(m.link_latency_s));
  return fmt::format(
      "gpus_per_node: {0}\nfast_domain_gpus: {0}\nhost_memory: {1} B\nbase_latency: 0 us\n"
      "links:\n  intra:\n    kind: threads\n{2}"
      "  inter:  # no other machine was measured: as inside\n    kind: threads\n{2}"
      "nics_per_node: {0}\nnic: {3}\n",
      facts.ranks, facts.memory_bytes, link, bandwidth);
}

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name"))
      if (const auto at = line.find(": "); at != std::string::npos) return line.substr(at + 2);
  return "unknown CPU";
}

int cores_allowed() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace

MachineFacts machine_facts() {
  MachineFacts facts;
  facts.cpu = cpu_name();
  facts.cores = cores_allowed();
  facts.memory_bytes = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  const std::time_t now = std::time(nullptr);
  std::tm day{};
  gmtime_r(&now, &day);
  facts.date = fmt::format("{:04}-{:02}-{:02}", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
  return facts;
}

std::string cluster_text(const MeasuredMachine& m, const MachineFacts& facts) {
  std::string text = fmt::format(
      "name: {}\nsource: {}\n\n", quoted(facts.name),
      quoted(fmt::format("ithaca calibrate, {}: {}, {} core{}, up to {} thread rank{}; medians of "
                         "{} runs; {}",
                         facts.date, facts.cpu, facts.cores, facts.cores == 1 ? "" : "s",
                         facts.ranks, facts.ranks == 1 ? "" : "s", facts.repeats, facts.build)));
  text += gpu_text(m, facts) + kernels_text(m.kernels) + links_text(m, facts);
  if (m.collectives.empty()) return text;
  text += "measured_collectives:  # ranks of a group, ranks at work; bytes as nccl-tests counts\n";
  for (const CollectiveTable& t : m.collectives)
    text += fmt::format("- {{collective: {}, gpus: {}, at_once: {}, points: {}}}\n", t.collective,
                        t.gpus, t.at_once, points_text(t.points));
  return text;
}

}  // namespace ithaca
