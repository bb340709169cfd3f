#include "reports/time_accuracy_text.h"

#include "reports/text_table.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace ithaca {
namespace {

std::string percent(double fraction) {
  return fmt::format("{:.1f} %", 100 * fraction);
}
std::string signed_percent(double fraction) {
  return fmt::format("{:+.1f} %", 100 * fraction);
}
std::string of(std::size_t right, std::size_t all) {
  return all == 0 ? "" : fmt::format("{} of {}", right, all);
}

/// Files that have predictions, in order, and the empty name of all.
std::vector<std::string> sources(const TimeAccuracy& accuracy) {
  std::set<std::string> names;
  for (const TimePrediction& p : accuracy.predictions) names.insert(p.source);
  std::vector<std::string> all(names.begin(), names.end());
  all.emplace_back();
  return all;
}

TextTable statistics_table(const TimeAccuracy& accuracy) {
  TextTable table({{"source", Align::left},
                   {"rows", Align::right},
                   {"median", Align::right},
                   {"p90", Align::right},
                   {"max", Align::right},
                   {"bias", Align::right},
                   {"pairs in order", Align::right},
                   {"picks right", Align::right}});
  for (const std::string& name : sources(accuracy)) {
    const ErrorStatistics s = time_statistics(accuracy, name);
    const OrderStatistics o = order_statistics(accuracy, name);
    table.add({name.empty() ? "all that count" : name, std::to_string(s.rows), percent(s.median),
               percent(s.p90), percent(s.max), signed_percent(s.bias), of(o.right_pairs, o.pairs),
               of(o.right_picks, o.groups)});
  }
  return table;
}

TextTable unmodelled_counts(const TimeAccuracy& accuracy) {
  std::map<std::pair<std::string, std::string>, int> counts;
  for (const UnmodelledRow& row : accuracy.unmodelled) ++counts[{row.source, row.reason}];
  TextTable table({{"source", Align::left}, {"rows", Align::right}, {"not modelled", Align::left}});
  for (const auto& [key, rows] : counts) table.add({key.first, std::to_string(rows), key.second});
  return table;
}

TextTable prediction_rows(const TimeAccuracy& accuracy) {
  TextTable table({{"row", Align::left},
                   {"what", Align::left},
                   {"measured", Align::right},
                   {"predicted", Align::right},
                   {"error", Align::right},
                   {"counts", Align::left},
                   {"profile", Align::left},
                   {"strategy", Align::left},
                   {"reading", Align::left}});
  for (const TimePrediction& p : accuracy.predictions)
    table.add({p.id, p.what, fmt::format("{:.4g} s", p.measured_s),
               fmt::format("{:.4g} s", p.predicted_s), signed_percent(p.error()),
               p.counts ? "yes" : "no", p.profile, p.strategy, p.reading});
  return table;
}

TextTable unmodelled_rows(const TimeAccuracy& accuracy) {
  TextTable table({{"row", Align::left}, {"source", Align::left}, {"reason", Align::left}});
  for (const UnmodelledRow& row : accuracy.unmodelled) table.add({row.id, row.source, row.reason});
  return table;
}

Json statistics_json(const TimeAccuracy& accuracy, const std::string& source) {
  const ErrorStatistics s = time_statistics(accuracy, source);
  return {{"rows", s.rows}, {"median", s.median}, {"p90", s.p90}, {"max", s.max}, {"bias", s.bias}};
}

Json groups_json(const TimeAccuracy& accuracy) {
  Json groups = Json::array();
  for (const std::string& name : sources(accuracy)) {
    const OrderStatistics o = order_statistics(accuracy, name);
    if (o.groups == 0) continue;
    groups.push_back({{"source", name.empty() ? "all" : name},
                      {"groups", o.groups},
                      {"pairs", o.pairs},
                      {"right_pairs", o.right_pairs},
                      {"right_picks", o.right_picks}});
  }
  return groups;
}

}  // namespace

std::string time_summary(const TimeAccuracy& accuracy) {
  return fmt::format("Time, errors of predictions\n{}\n{} rows are not modelled\n{}",
                     statistics_table(accuracy).text(2), accuracy.unmodelled.size(),
                     unmodelled_counts(accuracy).text(2));
}

std::string time_markdown(const TimeAccuracy& accuracy) {
  return fmt::format(
      "# Time: predicted beside published\n\n"
      "Written by `ithaca validate -o reports` from reports/published.  Error is predicted over "
      "measured less one; bias is the median of the signed errors.  Nothing is fitted to these "
      "rows.  Rows that count among all are steps or whole layers, digits of a table (not read "
      "from a figure), with nothing on the host.  A group has rows that differ in nothing but how "
      "they are split; its "
      "pairs are those measured to differ by more than 5 % for each token; a pick is right when "
      "the predicted best is measured within 3 % of the best.\n\n"
      "## Errors by source\n\n{}\n## Not modelled\n\n{}\n## Every prediction\n\n{}\n"
      "## Every row that is not modelled\n\n{}",
      statistics_table(accuracy).markdown(), unmodelled_counts(accuracy).markdown(),
      prediction_rows(accuracy).markdown(), unmodelled_rows(accuracy).markdown());
}

std::string time_csv(const TimeAccuracy& accuracy) {
  TextTable table({{"id"},
                   {"source"},
                   {"what"},
                   {"measured_s"},
                   {"predicted_s"},
                   {"error"},
                   {"counts"},
                   {"group"},
                   {"profile"},
                   {"strategy"},
                   {"reading"}});
  for (const TimePrediction& p : accuracy.predictions)
    table.add({p.id, p.source, p.what, fmt::format("{}", p.measured_s),
               fmt::format("{}", p.predicted_s), fmt::format("{}", p.error()), p.counts ? "1" : "0",
               p.group, p.profile, p.strategy, p.reading});
  for (const UnmodelledRow& row : accuracy.unmodelled)
    table.add({row.id, row.source, "not modelled", "", "", "", "", "", "", "", row.reason});
  return table.csv();
}

void add_time(Json& json, const TimeAccuracy& accuracy) {
  for (const std::string& name : sources(accuracy))
    (name.empty() ? json["overall"] : json["sources"][name])["time"] =
        statistics_json(accuracy, name);
  json["groups"] = groups_json(accuracy);
  for (const TimePrediction& p : accuracy.predictions)
    json["rows"].push_back({{"id", p.id},
                            {"source", p.source},
                            {"what", p.what},
                            {"measured", p.measured_s},
                            {"predicted", p.predicted_s},
                            {"error", p.error()},
                            {"counts", p.counts},
                            {"group", p.group},
                            {"profile", p.profile},
                            {"strategy", p.strategy}});
  for (const UnmodelledRow& row : accuracy.unmodelled)
    json["unmodelled"].push_back(
        {{"id", row.id}, {"source", row.source}, {"what", "time"}, {"reason", row.reason}});
}

}  // namespace ithaca
