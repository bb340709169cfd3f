#include "sim/nccl/constants.h"

#include "models/data_dir.h"
#include "models/nearest.h"
#include "models/yaml.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

constexpr double us = 1e-6, gb = 1e9;
constexpr std::array algorithms{"tree", "ring", "nvls", "nvls_tree", "pat"};
constexpr std::array protocols{"ll", "ll128", "simple"};
constexpr std::array nvlink_names{"sm60", "sm70", "sm80", "sm86", "sm90", "sm100"};
constexpr std::array architectures{"volta", "ampere", "hopper", "blackwell"};

double at_least_zero(const Yaml& yaml, double unit) {
  const double value = yaml.number();
  if (value < 0) yaml.fail(fmt::format("expected a number of at least 0, got {}", yaml.text()));
  return value * unit;
}

/// What stands under the names, in their order; a name is given by what its value is read with.
template <class Value, std::size_t n, class Read>
std::array<Value, n> by_name(const Yaml& yaml, const std::array<const char*, n>& names, Read read) {
  for (const std::string& key : yaml.keys())
    if (std::ranges::find(names, key) == names.end())
      yaml.at(key).fail(
          fmt::format("unknown key{}", did_you_mean(key, {names.begin(), names.end()})));
  std::array<Value, n> values{};
  for (std::size_t i = 0; i < n; ++i) values[i] = read(yaml.at(names[i]));
  return values;
}

template <std::size_t n>
std::array<double, n> list(const Yaml& yaml, double unit) {
  const std::vector<Yaml> items = yaml.items();
  if (items.size() != n)
    yaml.fail(fmt::format("expected a list of {} numbers, got {}", n, items.size()));
  std::array<double, n> values{};
  for (std::size_t i = 0; i < n; ++i) values[i] = at_least_zero(items[i], unit);
  return values;
}

NcclConstants::ByAlgorithm latencies(const Yaml& yaml) {
  return by_name<NcclConstants::ByProtocol>(yaml, algorithms,
                                            [](const Yaml& y) { return list<3>(y, us); });
}

NcclConstants::ByArchAndNodes rates(const Yaml& yaml) {
  return by_name<NcclConstants::ByNodes>(yaml, architectures,
                                         [](const Yaml& y) { return list<3>(y, gb); });
}

std::vector<double> falling(const Yaml& yaml) {
  std::vector<double> speeds;
  for (const Yaml& item : yaml.items()) {
    speeds.push_back(item.positive() * gb);
    if (speeds.size() > 1 && speeds.back() >= speeds[speeds.size() - 2])
      item.fail(fmt::format("expected a number below the one before it, got {}", item.text()));
  }
  if (speeds.empty()) yaml.fail("expected a list of numbers, got none");
  return speeds;
}

void read_bandwidths(const Yaml& yaml, NcclConstants& c) {
  c.ll_most_bytes_per_s = rates(yaml.at("ll_most_gb_per_s"));
  c.ring_ll128_most_bytes_per_s = rates(yaml.at("ring_ll128_most_gb_per_s"));
  c.tree_ll128_most_bytes_per_s = rates(yaml.at("tree_ll128_most_gb_per_s"));
  c.tree_most_bytes_per_s = rates(yaml.at("tree_most_gb_per_s"));
  c.nvls_tree_most_bytes_per_s = rates(yaml.at("nvls_tree_most_gb_per_s"));
  const auto plain = [](const Yaml& y) { return at_least_zero(y, 1); };
  c.nvls_efficiency = by_name<double>(yaml.at("nvls_efficiency"), architectures, plain);
  c.tree_correction = by_name<std::array<double, 23>>(yaml.at("tree_correction"), protocols,
                                                      [](const Yaml& y) { return list<23>(y, 1); });
  const auto speeds = [&](const char* key) {
    return by_name<std::vector<double>>(yaml.at(key), architectures, falling);
  };
  c.speeds_intra_bytes_per_s = speeds("speeds_intra_gb_per_s");
  c.speeds_inter_bytes_per_s = speeds("speeds_inter_gb_per_s");
  c.nvlink_by_sm_bytes_per_s = by_name<double>(yaml.at("nvlink_gb_per_s"), nvlink_names,
                                               [](const Yaml& y) { return y.positive() * gb; });
}

NcclConstants read_constants(const Yaml& yaml) {
  yaml.allow({"name", "source", "base_latency_us", "hop_latency_us", "post_overhead_us",
              "ll_most_gb_per_s", "ring_ll128_most_gb_per_s", "tree_ll128_most_gb_per_s",
              "tree_most_gb_per_s", "nvls_tree_most_gb_per_s", "nvls_efficiency", "tree_correction",
              "speeds_intra_gb_per_s", "speeds_inter_gb_per_s", "nvlink_gb_per_s"});
  NcclConstants c;
  c.name = yaml.at("name").text();
  c.source = yaml.at("source").text();
  c.base_latency_s = latencies(yaml.at("base_latency_us"));
  c.hop_latency_s = by_name<NcclConstants::ByAlgorithm>(
      yaml.at("hop_latency_us"), std::array{"nvlink", "pcie", "net"}, latencies);
  c.post_overhead_s =
      by_name<double>(yaml.at("post_overhead_us"), std::array{"intel", "amd", "other"},
                      [](const Yaml& y) { return at_least_zero(y, us); });
  read_bandwidths(yaml, c);
  return c;
}

}  // namespace

const char* name_of(NcclAlgorithm algorithm) {
  return algorithms[static_cast<std::size_t>(algorithm)];
}
const char* name_of(NcclProtocol protocol) {
  return protocols[static_cast<std::size_t>(protocol)];
}

double NcclConstants::base_s(NcclAlgorithm a, NcclProtocol p) const {
  return base_latency_s[static_cast<std::size_t>(a)][static_cast<std::size_t>(p)];
}
double NcclConstants::hop_s(NcclHop hop, NcclAlgorithm a, NcclProtocol p) const {
  return hop_latency_s[static_cast<std::size_t>(hop)][static_cast<std::size_t>(a)]
                      [static_cast<std::size_t>(p)];
}

double NcclConstants::nvlink_bytes_per_s(int sm) const {
  const std::size_t row = sm >= 100  ? 5
                          : sm >= 90 ? 4
                          : sm == 86 ? 3
                          : sm >= 80 ? 2
                          : sm >= 70 ? 1
                                     : 0;
  return nvlink_by_sm_bytes_per_s[row];
}

NcclArch nccl_arch(int compute_capability) {
  if (compute_capability >= 100) return NcclArch::blackwell;
  if (compute_capability >= 90) return NcclArch::hopper;
  return compute_capability >= 80 ? NcclArch::ampere : NcclArch::volta;
}

NcclConstants load_nccl(const std::string& version_or_path) {
  const std::vector<std::string> versions = nccl_versions();
  if (std::ranges::find(versions, version_or_path) != versions.end())
    return read_constants(
        Yaml::file((data_dir() / "cluster_specs/nccl" / (version_or_path + ".yaml")).string()));
  if (is_path(version_or_path)) return read_constants(Yaml::file(version_or_path));
  throw InputError(
      "nccl", fmt::format("expected a version or a YAML file, got {}{}", in_quotes(version_or_path),
                          did_you_mean(version_or_path, versions)));
}

std::vector<std::string> nccl_versions() {
  return data_names("cluster_specs/nccl");
}

const NcclConstants& default_nccl() {
  static const NcclConstants constants = load_nccl("2.28");
  return constants;
}

}  // namespace ithaca
