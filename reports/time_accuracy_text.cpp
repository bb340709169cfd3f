#include "reports/time_accuracy_text.h"

#include "reports/accuracy_text.h"
#include "reports/causes.h"
#include "reports/strategy_order.h"

#include <fmt/format.h>
#include <set>

namespace ithaca {
namespace {

/// Files that have predictions, in order, and the empty name of all.
std::vector<std::string> sources(const TimeAccuracy& accuracy) {
  std::set<std::string> names;
  for (const TimePrediction& p : accuracy.predictions) names.insert(p.source);
  std::vector<std::string> all(names.begin(), names.end());
  all.emplace_back();
  return all;
}

TextTable statistics_table(const TimeAccuracy& accuracy) {
  std::vector<TextTable::Column> columns = with_statistics({{"source", Align::left}});
  for (const char* const name : {"pairs in order", "rank correlation", "picks right"})
    columns.push_back({name, Align::right});
  TextTable table(columns);
  const std::vector<GroupOrder> orders = group_orders(accuracy);
  for (const std::string& name : sources(accuracy)) {
    const OrderStatistics o = order_statistics(orders, name);
    std::vector<std::string> cells =
        with_statistics({name.empty() ? "all that count" : name}, time_statistics(accuracy, name));
    cells.push_back(right_of(o.right_pairs, o.pairs));
    cells.push_back(o.groups == 0 ? "" : fmt::format("{:.2f}", o.rank_correlation));
    cells.push_back(right_of(o.right_picks, o.groups));
    table.add(std::move(cells));
  }
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

TextTable far_off_table(const TimeAccuracy& accuracy) {
  TextTable table({{"row", Align::left}, {"error", Align::right}, {"cause", Align::left}});
  const std::vector<ErrorCause> causes = shipped_causes();
  for (const TimePrediction& p : far_off_rows(accuracy))
    table.add({p.id, signed_percent(p.error()), cause_of(causes, p.id)});
  return table;
}

Json order_json(const OrderStatistics& o) {
  return {{"groups", o.groups},
          {"pairs", o.pairs},
          {"right_pairs", o.right_pairs},
          {"rank_correlation", o.rank_correlation},
          {"right_picks", o.right_picks}};
}

Json group_json(const GroupOrder& o) {
  return {{"source", o.source},
          {"group", o.group},
          {"what", o.what},
          {"rows", o.rows},
          {"pairs", o.pairs},
          {"right_pairs", o.right_pairs},
          {"rank_correlation", o.rank_correlation},
          {"measured_best", o.measured_best},
          {"predicted_best", o.predicted_best},
          {"right_pick", o.right_pick}};
}

Json row_json(const TimePrediction& p) {
  return {{"id", p.id},
          {"source", p.source},
          {"what", p.what},
          {"measured", p.measured_s},
          {"predicted", p.predicted_s},
          {"error", p.error()},
          {"counts", p.counts},
          {"group", p.group},
          {"profile", p.profile},
          {"strategy", p.strategy}};
}

}  // namespace

std::string time_summary(const TimeAccuracy& accuracy) {
  return fmt::format("Time, errors of predictions\n{}\n{} rows are not modelled\n{}",
                     statistics_table(accuracy).text(2), accuracy.unmodelled.size(),
                     unmodelled_counts(accuracy.unmodelled).text(2));
}

std::vector<Section> time_sections(const TimeAccuracy& accuracy) {
  std::vector<Section> sections{
      section("Time: errors by source", statistics_table(accuracy),
              "Rows that count among all are steps or whole layers, digits of a table (not read "
              "from a figure), with nothing on the host.  A group has rows that differ in nothing "
              "but how they are split; its pairs are those measured to differ by more than 5 % for "
              "each token; rank correlation is Kendall's tau, the mean of the groups; a pick is "
              "right when the predicted best is measured within 3 % of the best."),
      section("Time: rows that count and are more than 18 % off", far_off_table(accuracy),
              "Causes are those of reports/causes.yaml: known, supposed, or not known."),
      section("Time: not modelled", unmodelled_counts(accuracy.unmodelled)),
      section("Time: every prediction", prediction_rows(accuracy)),
      section("Time: every row that is not modelled", unmodelled_rows(accuracy.unmodelled))};
  sections.front().figures.push_back(
      {"accuracy",
       "Time as predicted over time as measured, by source.  Line: equal; band: 18 % "
       "to either side; hollow: rows that do not count among all."});
  return sections;
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
  const std::vector<GroupOrder> orders = group_orders(accuracy);
  for (const std::string& name : sources(accuracy)) {
    Json& to = name.empty() ? json["overall"] : json["sources"][name];
    to["time"] = statistics_json(time_statistics(accuracy, name));
    to["order"] = order_json(order_statistics(orders, name));
  }
  for (const GroupOrder& o : orders) json["groups"].push_back(group_json(o));
  for (const TimePrediction& p : accuracy.predictions) json["rows"].push_back(row_json(p));
  add_unmodelled(json["unmodelled"], accuracy.unmodelled, "time");
}

}  // namespace ithaca
