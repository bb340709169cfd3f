#include "cli/calibrate.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "models/error.h"
#include "models/nearest.h"
#include "models/yaml.h"
#include "planner/plan_file.h"
#include "reports/format.h"
#include "reports/json.h"
#include "reports/text_table.h"
#include "sim/nccl/calibration.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <numeric>

namespace ithaca {
namespace {

/// Older versions do not print it.
std::string collective_in(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  for (const char* const known :
       {"all_reduce", "all_gather", "reduce_scatter", "alltoall", "sendrecv"})
    if (name.find(known) != std::string::npos) return known;
  return "";
}

std::vector<CollectiveTable> read_tables(const std::vector<std::string>& files) {
  if (files.empty())
    throw InputError("--from-nccl-tests", "expected files that nccl-tests printed, got none");
  std::vector<CollectiveTable> tables;
  for (const std::string& file : files) {
    if (std::ranges::count(files, file) > 1)
      throw InputError("--from-nccl-tests", fmt::format("expected {} once, got it twice", file));
    tables.push_back(nccl_tests_table(read_file(file), file, collective_in(file)));
    if (tables.back().gpus < 2)
      throw InputError(tables.back().place, "gpus",
                       fmt::format("expected the ranks in lines \"# Rank ...\", at least 2, got {}",
                                   tables.back().gpus));
  }
  return tables;
}

/// Whether what nccl-tests prints of a device, "NVIDIA H100 80GB HBM3", is of a GPU such as H100-SXM5-80GB.
bool names(const std::string& printed, const std::string& gpu) {
  return printed.empty() || printed.find(gpu.substr(0, gpu.find('-'))) != std::string::npos;
}

Cluster cluster_of(const std::string& name, const std::vector<CollectiveTable>& tables) {
  if (name.empty())
    throw InputError("--cluster",
                     fmt::format("expected the cluster that {} was measured on, {} GPUs of \"{}\" "
                                 "on {} node{}, see `ithaca clusters`",
                                 tables[0].file, tables[0].gpus, tables[0].gpu, tables[0].nodes,
                                 tables[0].nodes == 1 ? "" : "s"));
  Cluster cluster = load_cluster(name);
  if (cluster.gpu.compute_capability == 0)
    throw InputError("--cluster", fmt::format("expected one on which NCCL runs, got {} of {}",
                                              cluster.name, cluster.gpu.name));
  if (!cluster.measured_collectives.empty())
    throw InputError("--cluster",
                     fmt::format("expected one without measured_collectives, got {} that has {}",
                                 cluster.name, cluster.measured_collectives.size()));
  return cluster;
}

NcclModel model_of(const Cluster& cluster, const CollectiveTable& table) {
  std::vector<int> ranks(static_cast<std::size_t>(table.gpus));
  std::iota(ranks.begin(), ranks.end(), 0);
  return NcclModel(nccl_group(cluster, ranks));
}

/// What the other tables make of the model; nothing without others.
std::optional<NcclCalibration> without(const Cluster& cluster, std::vector<CollectiveTable> tables,
                                       std::size_t left_out) {
  tables.erase(tables.begin() + static_cast<std::ptrdiff_t>(left_out));
  if (tables.empty()) return std::nullopt;
  return measurements(cluster, tables).calibration;
}

std::string error_text(double predicted_s, double measured_s) {
  return fmt::format("{:+.1f} %", 100 * (predicted_s / measured_s - 1));
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

/// One size of one file: seconds measured, by the cluster's own model, and by that calibrated with the other files.
struct Residual {
  double bytes, measured_s, model_s;
  std::optional<double> calibrated_s;
};

std::vector<Residual> residuals_of(const Cluster& cluster,
                                   const std::vector<CollectiveTable>& tables, std::size_t index) {
  const CollectiveTable& t = tables[index];
  const NcclModel model = model_of(cluster, t);
  const auto others = without(cluster, tables, index);
  std::vector<Residual> residuals;
  for (const CollectivePoint& point : t.points)
    if (const auto time = model_time(model, t.collective, point.bytes))
      residuals.push_back({point.bytes, point.seconds, time->seconds(),
                           others ? std::optional(time->seconds(*others)) : std::nullopt});
  return residuals;
}

/// |predicted / measured - 1|
double median_error(const std::vector<Residual>& all, bool calibrated) {
  std::vector<double> errors;
  for (const Residual& r : all)
    errors.push_back(std::abs((calibrated ? *r.calibrated_s : r.model_s) / r.measured_s - 1));
  return median(std::move(errors));
}

std::string residuals_text(const std::string& cluster, const CollectiveTable& t,
                           const std::vector<Residual>& residuals) {
  using enum Align;
  TextTable table({{"size", right},
                   {"measured", right},
                   {cluster, right},
                   {"", right},
                   {"by the other files", right},
                   {"", right}});
  for (const Residual& r : residuals)
    table.add({grouped(static_cast<std::int64_t>(r.bytes)), seconds_text(r.measured_s),
               seconds_text(r.model_s), error_text(r.model_s, r.measured_s),
               r.calibrated_s ? seconds_text(*r.calibrated_s) : "-",
               r.calibrated_s ? error_text(*r.calibrated_s, r.measured_s) : ""});
  const std::string head = fmt::format("{}: {}, {} GPUs on {} node{}\n", t.file, t.collective,
                                       t.gpus, t.nodes, t.nodes == 1 ? "" : "s");
  if (residuals.empty()) return head + "  no model knows this collective: kept as measured\n";
  std::string text = head + table.text(2) +
                     fmt::format("  median error {:.1f} %", 100 * median_error(residuals, false));
  if (residuals.front().calibrated_s)
    text += fmt::format(", by the other files {:.1f} %", 100 * median_error(residuals, true));
  return text + '\n';
}

Json residuals_json(const CollectiveTable& t, const std::vector<Residual>& residuals) {
  Json points = Json::array();
  for (const Residual& r : residuals)
    points.push_back({{"bytes", r.bytes},
                      {"measured_s", r.measured_s},
                      {"model_s", r.model_s},
                      {"calibrated_s", r.calibrated_s ? Json(*r.calibrated_s) : Json()}});
  return {{"file", t.file},
          {"collective", t.collective},
          {"gpus", t.gpus},
          {"nodes", t.nodes},
          {"points", points}};
}

std::string table_yaml(const CollectiveTable& t) {
  std::string points;
  for (const CollectivePoint& p : t.points)
    points += fmt::format("{}[{:.0f} B, {:.6g} us]", points.empty() ? "" : ", ", p.bytes,
                          p.seconds * 1e6);
  return fmt::format(
      "  - collective: {}\n    gpus: {}\n    nodes: {}\n    source: {}\n"
      "    points: [{}]\n",
      t.collective, t.gpus, t.nodes,
      nlohmann::json(fmt::format("nccl-tests, {}, {}", t.file, t.gpu)).dump(), points);
}

/// The file of the cluster under a new name, with the tables behind it.
std::string calibrated_text(const NcclTestsRequest& request, const Cluster& cluster,
                            const std::vector<CollectiveTable>& tables) {
  std::string text = read_file(cluster_path(request.cluster));
  const std::string name = request.name.empty() ? cluster.name + "-calibrated" : request.name;
  std::size_t line = text.starts_with("name:") ? 0 : text.find("\nname:");
  require(line != std::string::npos, "a cluster file that was read has a name");
  line += line == 0 && text.starts_with("name:") ? 0 : 1;
  text.replace(line, text.find('\n', line) - line, "name: " + nlohmann::json(name).dump());
  if (!text.ends_with('\n')) text += '\n';
  text += "\nmeasured_collectives:  # out of place, sizes as nccl-tests counts them\n";
  for (const CollectiveTable& t : tables) text += table_yaml(t);
  return text;
}

}  // namespace

int calibrate_from_nccl_tests(const NcclTestsRequest& request, Console& console) {
  for (const std::string& file : request.files) {
    std::error_code missing;
    if (std::filesystem::equivalent(file, request.output, missing))
      throw InputError("--output", fmt::format("expected a file to write, got the measurements "
                                               "in {}",
                                               file));
  }
  if (!request.output.empty()) check_writable(request.output);
  const std::vector<CollectiveTable> tables = read_tables(request.files);
  const Cluster cluster = cluster_of(request.cluster, tables);
  (void)measurements(cluster, tables);  // refuses tables that do not fit the cluster
  for (const CollectiveTable& table : tables)
    if (!names(table.gpu, cluster.gpu.name))
      console.note(fmt::format("{} was measured on \"{}\", {} has {}", table.file, table.gpu,
                               cluster.name, cluster.gpu.name));
  std::string text;
  Json files = Json::array();
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const std::vector<Residual> residuals = residuals_of(cluster, tables, i);
    text += (i == 0 ? "" : "\n") + residuals_text(cluster.name, tables[i], residuals);
    files.push_back(residuals_json(tables[i], residuals));
  }
  if (request.output.empty()) {
    console.note("nothing is written without -o FILE");
  } else {
    const std::string written = calibrated_text(request, cluster, tables);
    (void)parse_cluster(written, request.output);
    write_file(request.output, written);
    console.note(fmt::format("{} written", request.output));
  }
  console.result(request.json ? text_of({{"schema", "ithaca/1"},
                                         {"kind", "calibration"},
                                         {"cluster", cluster.name},
                                         {"files", files}})
                              : text);
  return Exit::ok;
}

}  // namespace ithaca
