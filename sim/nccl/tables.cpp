#include "sim/nccl/tables.h"

#include "models/nearest.h"
#include "models/yaml.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <system_error>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

std::string text_of(const Yaml& map, std::string_view key) {
  const auto found = map.find(key);
  return found && !found->is_blank() ? found->text() : "";
}
int count_of(const Yaml& map, std::string_view key, int otherwise) {
  const auto found = map.find(key);
  return found && !found->is_blank() ? static_cast<int>(found->integer(1, 1 << 24)) : otherwise;
}

CollectiveTable read_header(const Yaml& y) {
  y.allow({"collective", "source", "locator", "how_read", "gpu", "gpus", "nodes", "gpus_per_node",
           "intra", "inter", "nccl", "algo", "proto", "dtype", "units", "notes", "assumed"});
  CollectiveTable table;
  table.place = y.place();
  table.collective = y.at("collective").text();
  table.gpu = y.at("gpu").text();
  table.source = y.at("source").text();
  table.intra = text_of(y, "intra");
  table.inter = text_of(y, "inter");
  table.nccl = text_of(y, "nccl");
  table.notes = text_of(y, "notes");
  table.gpus = count_of(y, "gpus", 0);
  table.nodes = count_of(y, "nodes", 0);
  table.gpus_per_node = count_of(y, "gpus_per_node", 0);
  return table;
}

CollectivePoint read_point(const Yaml& y, const CollectiveTable& table) {
  const double bytes = static_cast<double>(y.at("size_bytes").integer(1, std::int64_t{1} << 50));
  if (const auto time = y.find("time_us"); time && !time->is_blank())
    return {bytes, time->positive() * 1e-6};
  const double bus = y.at("busbw").positive() * 1e9;
  return {bytes, bytes * bus_factor(table.collective, table.gpus) / bus};
}

/// The table that a row belongs to, new when it is the first of its kind.
CollectiveTable& table_of(std::vector<CollectiveTable>& tables, const CollectiveTable& header,
                          const Yaml& row) {
  CollectiveTable wanted = header;
  if (const std::string own = text_of(row, "collective"); !own.empty()) wanted.collective = own;
  wanted.gpus = count_of(row, "gpus", header.gpus);
  if (wanted.gpus == 0) row.fail("expected the number of gpus here or in the header, got neither");
  const auto same = [&](const CollectiveTable& t) {
    return t.collective == wanted.collective && t.gpus == wanted.gpus;
  };
  const auto it = std::ranges::find_if(tables, same);
  return it != tables.end() ? *it : tables.emplace_back(std::move(wanted));
}

}  // namespace

double bus_factor(const std::string& collective, int gpus) {
  const double n = gpus;
  if (collective == "all_reduce") return 2 * (n - 1) / n;
  return collective == "sendrecv" ? 1 : (n - 1) / n;
}

std::vector<CollectiveTable> collective_file(const std::string& path) {
  const Yaml root = Yaml::file(path);
  root.allow({"header", "rows"});
  CollectiveTable header = read_header(root.at("header"));
  header.file = fs::path(path).stem().string();
  std::vector<CollectiveTable> tables;
  for (const Yaml& row : root.at("rows").items()) {
    row.allow({"size_bytes", "time_us", "algbw", "busbw", "inplace_time_us", "inplace_busbw",
               "gpus", "collective", "algo", "busbw_ring", "mscclpp_algbw", "mscclpp_time_us"});
    CollectiveTable& table = table_of(tables, header, row);
    table.points.push_back(read_point(row, table));
  }
  for (CollectiveTable& table : tables)
    std::ranges::stable_sort(table.points, {}, &CollectivePoint::bytes);
  return tables;
}

std::vector<CollectiveTable> collective_tables(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".yaml") paths.push_back(it->path().string());
  if (error || paths.empty())
    throw InputError("collectives",
                     fmt::format("expected a folder of *.yaml files, got {}", in_quotes(folder)));
  std::ranges::sort(paths);
  std::vector<CollectiveTable> tables;
  for (const std::string& path : paths)
    for (CollectiveTable& table : collective_file(path)) tables.push_back(std::move(table));
  return tables;
}

}  // namespace ithaca
