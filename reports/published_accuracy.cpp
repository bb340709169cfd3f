#include "reports/published_accuracy.h"

#include "models/nearest.h"
#include "models/yaml.h"
#include "reports/yaml_files.h"

#include <filesystem>
#include <fmt/format.h>
#include <system_error>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

void require_folder(const std::string& folder) {
  std::error_code error;
  const fs::directory_iterator exists(folder, error);
  if (error)
    throw InputError(
        "--data", fmt::format("expected a folder, got {}: {}", in_quotes(folder), error.message()));
}

/// A table of ratios says nothing of seconds.
bool has_ratios(const std::string& path) {
  const Yaml root = Yaml::file(path);
  const auto header = root.find("header");
  const auto units = header ? header->find("units") : std::nullopt;
  return units && !units->is_blank() && units->text().starts_with("ratio");
}

std::vector<CollectiveTable> tables_of(const std::vector<fs::path>& paths,
                                       std::vector<UnmodelledRow>& others) {
  std::vector<CollectiveTable> tables;
  for (const fs::path& path : paths)
    if (has_ratios(path.string()))
      others.push_back({path.stem().string(), "collectives", "ratios of bandwidths, no times"});
    else
      for (CollectiveTable& table : collective_file(path.string()))
        tables.push_back(std::move(table));
  return tables;
}

void list_others(const std::vector<PublishedRow>& rows, PublishedAccuracy& all) {
  for (const PublishedRow& row : rows)
    if (!speaks_of_time(row) && !speaks_of_memory(row))
      all.others.push_back({row.id, row.file, "neither a time nor memory is stated"});
  for (const auto& [table, reason] : all.collectives.unmodelled)
    all.others.push_back({table.file, "collectives", reason});
  for (const TableAccuracy& t : all.collectives.tables)
    if (t.points.empty())
      all.others.push_back(
          {t.table.file, "collectives",
           fmt::format("no point of 1 MiB, or no model of {}", t.table.collective)});
}

}  // namespace

PublishedAccuracy published_accuracy(const std::string& folder) {
  require_folder(folder);
  const std::vector<PublishedRow> rows = published_rows(folder);
  const std::vector<fs::path> collectives = yaml_files(folder + "/collectives");
  PublishedAccuracy all;
  all.kernels = kernel_accuracy(folder + "/kernels");
  if (rows.empty() && collectives.empty() && all.kernels.predictions.empty() &&
      all.kernels.unmodelled.empty())
    throw InputError("--data", fmt::format("expected rows in *.yaml files of the folder, its "
                                           "collectives/ or its kernels/, got none in {}",
                                           in_quotes(folder)));
  all.collectives = collective_accuracy(tables_of(collectives, all.others));
  all.time = time_accuracy(rows);
  all.memory = memory_accuracy(rows);
  list_others(rows, all);
  all.rows = rows;
  return all;
}

ErrorStatistics collective_statistics(const CollectiveAccuracy& accuracy, std::string_view file) {
  std::vector<double> errors;
  for (const TableAccuracy& t : accuracy.tables)
    if (file.empty() || t.table.file == file)
      for (const PointAccuracy& point : t.points) errors.push_back(point.error());
  return statistics(std::move(errors));
}

}  // namespace ithaca
