#include "reports/causes.h"

#include "models/data_dir.h"
#include "models/yaml.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace ithaca {

std::vector<ErrorCause> read_causes(const std::string& path) {
  const Yaml root = Yaml::file(path);
  root.allow({"causes"});
  std::vector<ErrorCause> causes;
  for (const Yaml& y : root.at("causes").items()) {
    y.allow({"rows", "cause"});
    ErrorCause cause{{}, y.at("cause").text()};
    for (const Yaml& row : y.at("rows").items()) cause.rows.push_back(row.text());
    causes.push_back(std::move(cause));
  }
  return causes;
}

std::vector<ErrorCause> shipped_causes() {
  const std::filesystem::path file = data_dir() / "reports" / "causes.yaml";
  if (!std::filesystem::exists(file)) return {};
  return read_causes(file.string());
}

std::string cause_of(const std::vector<ErrorCause>& causes, const std::string& row) {
  const auto names = [&](const ErrorCause& cause) {
    return std::ranges::any_of(cause.rows,
                               [&](const std::string& begin) { return row.starts_with(begin); });
  };
  const auto found = std::ranges::find_if(causes, names);
  return found == causes.end() ? "not known" : found->text;
}

std::vector<TimePrediction> far_off_rows(const TimeAccuracy& accuracy) {
  std::vector<TimePrediction> rows;
  std::ranges::copy_if(accuracy.predictions, std::back_inserter(rows),
                       [](const auto& p) { return p.counts && std::abs(p.error()) > far_off; });
  std::ranges::stable_sort(rows, std::ranges::greater(),
                           [](const auto& p) { return std::abs(p.error()); });
  return rows;
}

}  // namespace ithaca
