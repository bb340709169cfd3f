#include "reports/memory_accuracy_text.h"

#include "reports/text_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <map>

namespace ithaca {
namespace {

constexpr std::array kinds{"after forward", "allocated peak", "device peak", "longest"};

/// Files that say anything, in order.
std::vector<std::string> sources(const MemoryAccuracy& accuracy) {
  std::vector<std::string> names;
  const auto add = [&](const auto& rows) {
    for (const auto& row : rows) names.push_back(row.source);
  };
  add(accuracy.predictions);
  add(accuracy.decisions);
  add(accuracy.unmodelled);
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

std::string percent(double fraction) {
  return fmt::format("{:.1f} %", 100 * fraction);
}
std::string signed_percent(double fraction) {
  return fmt::format("{:+.1f} %", 100 * fraction);
}
std::string figure(std::string_view what, double value) {
  return what == "longest" ? fmt::format("{:.0f}", value) : fmt::format("{:.2f}", value);
}
const char* word(bool fits) {
  return fits ? "fits" : "out of memory";
}
std::string right_of_all(const DecisionCounts& counts) {
  return counts.all() == 0 ? "" : fmt::format("{} of {}", counts.right(), counts.all());
}

TextTable statistics_table(const MemoryAccuracy& accuracy) {
  TextTable table({{"source", Align::left},
                   {"what", Align::left},
                   {"rows", Align::right},
                   {"median", Align::right},
                   {"p90", Align::right},
                   {"max", Align::right},
                   {"bias", Align::right}});
  std::vector<std::string> names = sources(accuracy);
  names.emplace_back();
  for (const std::string& name : names)
    for (const char* const what : kinds) {
      const ErrorStatistics s = memory_statistics(accuracy, name, what);
      if (s.rows > 0)
        table.add({name.empty() ? "all" : name, what, std::to_string(s.rows), percent(s.median),
                   percent(s.p90), percent(s.max), signed_percent(s.bias)});
    }
  return table;
}

TextTable decision_table(const MemoryAccuracy& accuracy) {
  TextTable table({{"source", Align::left},
                   {"right", Align::right},
                   {"ran, fits", Align::right},
                   {"ran, predicted out of memory", Align::right},
                   {"out of memory, predicted to fit", Align::right},
                   {"out of memory, agreed", Align::right}});
  std::vector<std::string> names = sources(accuracy);
  names.emplace_back();
  for (const std::string& name : names) {
    const DecisionCounts c = decisions(accuracy, name);
    if (c.all() > 0)
      table.add({name.empty() ? "all" : name, right_of_all(c), std::to_string(c.ran_fits),
                 std::to_string(c.ran_too_large), std::to_string(c.failed_fits),
                 std::to_string(c.failed_too_large)});
  }
  return table;
}

TextTable unmodelled_counts(const MemoryAccuracy& accuracy) {
  std::map<std::pair<std::string, std::string>, int> counts;
  for (const UnmodelledRow& row : accuracy.unmodelled) ++counts[{row.source, row.reason}];
  TextTable table({{"source", Align::left}, {"rows", Align::right}, {"not modelled", Align::left}});
  for (const auto& [key, rows] : counts) table.add({key.first, std::to_string(rows), key.second});
  return table;
}

TextTable prediction_rows(const MemoryAccuracy& accuracy) {
  TextTable table({{"row", Align::left},
                   {"what", Align::left},
                   {"measured", Align::right},
                   {"predicted", Align::right},
                   {"error", Align::right},
                   {"profile", Align::left},
                   {"strategy", Align::left},
                   {"reading", Align::left}});
  for (const MemoryPrediction& p : accuracy.predictions)
    table.add({p.id, p.what, figure(p.what, p.measured), figure(p.what, p.predicted),
               signed_percent(p.error()), p.profile, p.strategy, p.reading});
  return table;
}

TextTable decision_rows(const MemoryAccuracy& accuracy) {
  TextTable table({{"row", Align::left},
                   {"published", Align::left},
                   {"predicted", Align::left},
                   {"right", Align::left},
                   {"GiB", Align::right},
                   {"of", Align::right},
                   {"profile", Align::left},
                   {"strategy", Align::left},
                   {"reading", Align::left}});
  for (const MemoryDecision& d : accuracy.decisions)
    table.add({d.id, word(d.ran), word(d.fits), d.right() ? "yes" : "NO",
               fmt::format("{:.1f}", d.need_gib), fmt::format("{:.1f}", d.capacity_gib), d.profile,
               d.strategy, d.reading});
  return table;
}

TextTable unmodelled_rows(const MemoryAccuracy& accuracy) {
  TextTable table({{"row", Align::left}, {"source", Align::left}, {"reason", Align::left}});
  for (const UnmodelledRow& row : accuracy.unmodelled) table.add({row.id, row.source, row.reason});
  return table;
}

Json statistics_json(const MemoryAccuracy& accuracy, const std::string& source) {
  Json json = Json::object();
  for (const char* const what : kinds) {
    const ErrorStatistics s = memory_statistics(accuracy, source, what);
    if (s.rows > 0)
      json[what] = {
          {"rows", s.rows}, {"median", s.median}, {"p90", s.p90}, {"max", s.max}, {"bias", s.bias}};
  }
  const DecisionCounts c = decisions(accuracy, source);
  if (c.all() > 0)
    json["decisions"] = {{"rows", c.all()},
                         {"right", c.right()},
                         {"ran_fits", c.ran_fits},
                         {"ran_too_large", c.ran_too_large},
                         {"failed_fits", c.failed_fits},
                         {"failed_too_large", c.failed_too_large}};
  return json;
}

}  // namespace

std::string memory_summary(const MemoryAccuracy& accuracy) {
  return fmt::format(
      "Memory, errors of predictions\n{}\nRan or out of memory\n{}\n{} rows are not modelled\n{}",
      statistics_table(accuracy).text(2), decision_table(accuracy).text(2),
      accuracy.unmodelled.size(), unmodelled_counts(accuracy).text(2));
}

std::string memory_markdown(const MemoryAccuracy& accuracy) {
  return fmt::format(
      "# Memory: predicted beside published\n\n"
      "Written by `ithaca validate -o reports` from reports/published.  Error is predicted over "
      "measured less one; bias is the median of the signed errors.  Nothing is fitted to these "
      "rows.\n\n"
      "- after forward: tensors held when the loss is known, GiB\n"
      "- allocated peak: most tensors of a step, GiB\n"
      "- device peak: those with context, communicators and buffers, GiB\n"
      "- longest: tokens of the longest sequence that fits\n\n"
      "## Errors by source\n\n{}\n## Ran or out of memory\n\n{}\n## Not modelled\n\n{}\n"
      "## Every prediction\n\n{}\n## Every decision\n\n{}\n## Every row that is not modelled\n\n{}",
      statistics_table(accuracy).markdown(), decision_table(accuracy).markdown(),
      unmodelled_counts(accuracy).markdown(), prediction_rows(accuracy).markdown(),
      decision_rows(accuracy).markdown(), unmodelled_rows(accuracy).markdown());
}

std::string memory_csv(const MemoryAccuracy& accuracy) {
  TextTable table({{"id"},
                   {"source"},
                   {"what"},
                   {"measured"},
                   {"predicted"},
                   {"error"},
                   {"profile"},
                   {"strategy"},
                   {"reading"}});
  for (const MemoryPrediction& p : accuracy.predictions)
    table.add({p.id, p.source, p.what, fmt::format("{}", p.measured),
               fmt::format("{}", p.predicted), fmt::format("{}", p.error()), p.profile, p.strategy,
               p.reading});
  for (const MemoryDecision& d : accuracy.decisions)
    table.add({d.id, d.source, "decision", word(d.ran), word(d.fits), d.right() ? "0" : "1",
               d.profile, d.strategy, d.reading});
  for (const UnmodelledRow& row : accuracy.unmodelled)
    table.add({row.id, row.source, "not modelled", "", "", "", "", "", row.reason});
  return table.csv();
}

Json memory_json(const MemoryAccuracy& accuracy) {
  Json json = {{"schema", "ithaca/1"}, {"overall", statistics_json(accuracy, "")}};
  json["sources"] = Json::object();
  for (const std::string& name : sources(accuracy))
    json["sources"][name] = statistics_json(accuracy, name);
  json["rows"] = Json::array();
  for (const MemoryPrediction& p : accuracy.predictions)
    json["rows"].push_back({{"id", p.id},
                            {"source", p.source},
                            {"what", p.what},
                            {"measured", p.measured},
                            {"predicted", p.predicted},
                            {"error", p.error()},
                            {"profile", p.profile},
                            {"strategy", p.strategy}});
  for (const MemoryDecision& d : accuracy.decisions)
    json["rows"].push_back({{"id", d.id},
                            {"source", d.source},
                            {"what", "decision"},
                            {"measured", word(d.ran)},
                            {"predicted", word(d.fits)},
                            {"decision", d.right() ? "right" : "wrong"},
                            {"need_gib", d.need_gib},
                            {"capacity_gib", d.capacity_gib},
                            {"profile", d.profile},
                            {"strategy", d.strategy}});
  json["unmodelled"] = Json::array();
  for (const UnmodelledRow& row : accuracy.unmodelled)
    json["unmodelled"].push_back(
        {{"id", row.id}, {"source", row.source}, {"what", "memory"}, {"reason", row.reason}});
  return json;
}

}  // namespace ithaca
