#include "reports/accuracy_page.h"

#include "reports/accuracy_text.h"
#include "reports/memory_accuracy_text.h"
#include "reports/time_accuracy_text.h"

#include <fmt/format.h>
#include <set>

namespace ithaca {
namespace {

constexpr const char* headline =
    "Written by `ithaca validate` from measurements that others published.  Error is predicted "
    "over measured less one; bias is the median of the signed errors.  Nothing is fitted to these "
    "rows but where it is said.";

std::vector<std::string> files_of(const CollectiveAccuracy& accuracy) {
  std::set<std::string> names;
  for (const TableAccuracy& t : accuracy.tables)
    if (!t.points.empty()) names.insert(t.table.file);
  return {names.begin(), names.end()};
}
std::vector<std::string> files_of(const KernelAccuracy& accuracy) {
  std::set<std::string> names;
  for (const KernelPrediction& p : accuracy.predictions) names.insert(p.source);
  return {names.begin(), names.end()};
}

TextTable statistics_table(const CollectiveAccuracy& accuracy) {
  TextTable table(with_statistics({{"table", Align::left}}));
  for (const std::string& file : files_of(accuracy))
    table.add(with_statistics({file}, collective_statistics(accuracy, file)));
  table.add(with_statistics({"all, by presets alone"}, collective_statistics(accuracy, "")));
  std::vector<std::string> cells = with_statistics({"all, calibrated by other tables"},
                                                   statistics(accuracy.calibrated_errors()));
  cells.back().clear();  // these errors have no sign
  table.add(std::move(cells));
  return table;
}

TextTable statistics_table(const KernelAccuracy& accuracy) {
  TextTable table(with_statistics({{"file", Align::left}}));
  for (const std::string& file : files_of(accuracy))
    table.add(with_statistics({file}, kernel_statistics(accuracy, file)));
  table.add(with_statistics({"all"}, kernel_statistics(accuracy, "")));
  return table;
}

std::string point_id(const TableAccuracy& t, const PointAccuracy& point) {
  return fmt::format("{} {} of {} {:.0f} B", t.table.file, t.table.collective, t.table.gpus,
                     point.bytes);
}

std::vector<Section> sections_of(const CollectiveAccuracy& accuracy) {
  TextTable rows({{"point", Align::left},
                  {"measured", Align::right},
                  {"predicted", Align::right},
                  {"error", Align::right},
                  {"cluster", Align::left}});
  for (const TableAccuracy& t : accuracy.tables)
    for (const PointAccuracy& p : t.points)
      rows.add({point_id(t, p), fmt::format("{:.4g} ms", 1e3 * p.measured_s),
                fmt::format("{:.4g} ms", 1e3 * p.predicted_s), signed_percent(p.error()),
                t.setup.cluster});
  return {section("Collectives: errors by table", statistics_table(accuracy),
                  "Points of 1 MiB and more.  A calibrated table was left out of its own "
                  "calibration."),
          section("Collectives: every point, by its preset alone", rows)};
}

std::vector<Section> sections_of(const KernelAccuracy& accuracy) {
  TextTable rows({{"row", Align::left},
                  {"what", Align::left},
                  {"measured", Align::right},
                  {"predicted", Align::right},
                  {"error", Align::right},
                  {"GPU", Align::left}});
  for (const KernelPrediction& p : accuracy.predictions)
    rows.add({p.id, p.what, fmt::format("{:.4g} ms", 1e3 * p.measured_s),
              fmt::format("{:.4g} ms", 1e3 * p.predicted_s), signed_percent(p.error()), p.gpu});
  return {section("Kernels: errors by file", statistics_table(accuracy),
                  "Predicted at the boost clock; products of 1e12 FLOPs and more at the sustained "
                  "one.  The "
                  "curves of the kernel files come from some of these rows: "
                  "tests/published/kernels_test.cpp judges the others."),
          section("Kernels: not modelled", unmodelled_counts(accuracy.unmodelled)),
          section("Kernels: every prediction", rows),
          section("Kernels: every row that is not modelled", unmodelled_rows(accuracy.unmodelled))};
}

Json collective_row(const TableAccuracy& t, const PointAccuracy& p) {
  return {{"id", point_id(t, p)},       {"source", "collectives/" + t.table.file},
          {"what", "collective"},       {"measured", p.measured_s},
          {"predicted", p.predicted_s}, {"error", p.error()},
          {"profile", "nccl"},          {"strategy", t.table.collective}};
}

Json kernel_row(const KernelPrediction& p) {
  return {{"id", p.id},
          {"source", "kernels/" + p.source},
          {"what", p.what},
          {"measured", p.measured_s},
          {"predicted", p.predicted_s},
          {"error", p.error()},
          {"profile", p.gpu},
          {"strategy", "kernel"}};
}

void add_parts(Json& json, const PublishedAccuracy& all) {
  for (const std::string& file : files_of(all.collectives))
    json["sources"]["collectives/" + file]["collectives"] =
        statistics_json(collective_statistics(all.collectives, file));
  for (const std::string& file : files_of(all.kernels))
    json["sources"]["kernels/" + file]["kernels"] =
        statistics_json(kernel_statistics(all.kernels, file));
  json["overall"]["collectives"] = statistics_json(collective_statistics(all.collectives, ""));
  json["overall"]["kernels"] = statistics_json(kernel_statistics(all.kernels, ""));
  for (const TableAccuracy& t : all.collectives.tables)
    for (const PointAccuracy& p : t.points) json["rows"].push_back(collective_row(t, p));
  for (const KernelPrediction& p : all.kernels.predictions) json["rows"].push_back(kernel_row(p));
  add_unmodelled(json["unmodelled"], all.kernels.unmodelled, "kernel");
  add_unmodelled(json["unmodelled"], all.others, "any");
}

bool has_rows(const PublishedAccuracy& all) {
  return !all.time.predictions.empty() || !all.time.unmodelled.empty() ||
         !all.memory.predictions.empty() || !all.memory.decisions.empty() ||
         !all.memory.unmodelled.empty();
}

}  // namespace

std::string accuracy_summary(const PublishedAccuracy& all) {
  std::string text;
  if (has_rows(all)) text += time_summary(all.time) + '\n' + memory_summary(all.memory) + '\n';
  if (!all.collectives.tables.empty())
    text += fmt::format("Collectives, errors of predictions\n{}\n",
                        statistics_table(all.collectives).text(2));
  if (!all.kernels.predictions.empty())
    text += fmt::format("Kernels, errors of predictions\n{}\n{} rows are not modelled\n{}\n",
                        statistics_table(all.kernels).text(2), all.kernels.unmodelled.size(),
                        unmodelled_counts(all.kernels.unmodelled).text(2));
  if (!all.others.empty())
    text += fmt::format("{} rows and tables are of none of these\n{}", all.others.size(),
                        unmodelled_counts(all.others).text(2));
  return text;
}

Json accuracy_json(const PublishedAccuracy& all) {
  Json json = {{"schema", "ithaca/1"},      {"overall", Json::object()},
               {"sources", Json::object()}, {"groups", Json::array()},
               {"rows", Json::array()},     {"unmodelled", Json::array()}};
  add_time(json, all.time);
  add_memory(json, all.memory);
  add_parts(json, all);
  return json;
}

std::vector<std::pair<std::string, Document>> accuracy_documents(const PublishedAccuracy& all) {
  std::vector<std::pair<std::string, Document>> documents;
  const auto add = [&](const char* name, const char* title, std::vector<Section> sections) {
    documents.emplace_back(name, Document{title, headline, {}, std::move(sections)});
  };
  if (has_rows(all)) {
    add("accuracy", "Time: predicted beside published", time_sections(all.time));
    add("accuracy_memory", "Memory: predicted beside published", memory_sections(all.memory));
  }
  if (!all.collectives.tables.empty())
    add("accuracy_collectives", "Collectives: predicted beside published",
        sections_of(all.collectives));
  if (!all.kernels.predictions.empty())
    add("accuracy_kernels", "Kernels: predicted beside published", sections_of(all.kernels));
  if (!documents.empty() && !all.others.empty())
    documents.front().second.sections.push_back(
        section("Rows and tables of none of these", unmodelled_rows(all.others)));
  return documents;
}

Document accuracy_document(const PublishedAccuracy& all) {
  Document page{"Predicted beside published", headline, {}, {}};
  for (auto& [name, document] : accuracy_documents(all))
    for (Section& s : document.sections) page.sections.push_back(std::move(s));
  return page;
}

}  // namespace ithaca
