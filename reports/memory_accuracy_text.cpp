#include "reports/memory_accuracy_text.h"

#include "reports/accuracy_text.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

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

std::string figure(std::string_view what, double value) {
  return what == "longest" ? fmt::format("{:.0f}", value) : fmt::format("{:.2f}", value);
}
const char* word(bool fits) {
  return fits ? "fits" : "out of memory";
}
TextTable statistics_table(const MemoryAccuracy& accuracy) {
  TextTable table(with_statistics({{"source", Align::left}, {"what", Align::left}}));
  std::vector<std::string> names = sources(accuracy);
  names.emplace_back();
  for (const std::string& name : names)
    for (const char* const what : kinds) {
      const ErrorStatistics s = memory_statistics(accuracy, name, what);
      if (s.rows > 0) table.add(with_statistics({name.empty() ? "all" : name, what}, s));
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
      table.add({name.empty() ? "all" : name, right_of(c.right(), c.all()),
                 std::to_string(c.ran_fits), std::to_string(c.ran_too_large),
                 std::to_string(c.failed_fits), std::to_string(c.failed_too_large)});
  }
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

void add_statistics(Json& json, const MemoryAccuracy& accuracy, const std::string& source) {
  for (const char* const what : kinds) {
    const ErrorStatistics s = memory_statistics(accuracy, source, what);
    if (s.rows > 0) json[what] = statistics_json(s);
  }
  const DecisionCounts c = decisions(accuracy, source);
  if (c.all() > 0)
    json["decisions"] = {{"rows", c.all()},
                         {"right", c.right()},
                         {"ran_fits", c.ran_fits},
                         {"ran_too_large", c.ran_too_large},
                         {"failed_fits", c.failed_fits},
                         {"failed_too_large", c.failed_too_large}};
}

Json row_json(const MemoryPrediction& p) {
  return {{"id", p.id},
          {"source", p.source},
          {"what", p.what},
          {"measured", p.measured},
          {"predicted", p.predicted},
          {"error", p.error()},
          {"profile", p.profile},
          {"strategy", p.strategy}};
}

Json row_json(const MemoryDecision& d) {
  const int ran = d.ran ? 1 : 0, fits = d.fits ? 1 : 0;
  return {{"id", d.id},
          {"source", d.source},
          {"what", "decision"},
          {"measured", ran},
          {"predicted", fits},
          {"error", fits - ran},
          {"decision", d.right() ? "right" : "wrong"},
          {"need_gib", d.need_gib},
          {"capacity_gib", d.capacity_gib},
          {"profile", d.profile},
          {"strategy", d.strategy}};
}

}  // namespace

std::string memory_summary(const MemoryAccuracy& accuracy) {
  return fmt::format(
      "Memory, errors of predictions\n{}\nRan or out of memory\n{}\n{} rows are not modelled\n{}",
      statistics_table(accuracy).text(2), decision_table(accuracy).text(2),
      accuracy.unmodelled.size(), unmodelled_counts(accuracy.unmodelled).text(2));
}

std::vector<Section> memory_sections(const MemoryAccuracy& accuracy) {
  return {section("Memory: errors by source", statistics_table(accuracy),
                  "After forward: tensors held when the loss is known, GiB.  Allocated peak: most "
                  "tensors of a step, GiB.  Device peak: those with context, communicators and "
                  "buffers, GiB.  Longest: tokens of the longest sequence that fits."),
          section("Memory: ran or out of memory", decision_table(accuracy)),
          section("Memory: not modelled", unmodelled_counts(accuracy.unmodelled)),
          section("Memory: every prediction", prediction_rows(accuracy)),
          section("Memory: every decision", decision_rows(accuracy)),
          section("Memory: every row that is not modelled", unmodelled_rows(accuracy.unmodelled))};
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

void add_memory(Json& json, const MemoryAccuracy& accuracy) {
  add_statistics(json["overall"], accuracy, "");
  for (const std::string& name : sources(accuracy)) {
    Json& source = json["sources"][name];
    if (source.is_null()) source = Json::object();
    add_statistics(source, accuracy, name);
  }
  for (const MemoryPrediction& p : accuracy.predictions) json["rows"].push_back(row_json(p));
  for (const MemoryDecision& d : accuracy.decisions) json["rows"].push_back(row_json(d));
  add_unmodelled(json["unmodelled"], accuracy.unmodelled, "memory");
}

}  // namespace ithaca
