#include "reports/strategy_order.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace ithaca {
namespace {

using Group = std::vector<const TimePrediction*>;

double measured(const TimePrediction* p) {
  return p->measured_s / p->tokens_per_gpu;
}
double predicted(const TimePrediction* p) {
  return p->predicted_s / p->tokens_per_gpu;
}

int order(double a, double b) {
  return (a > b ? 1 : 0) - (a < b ? 1 : 0);
}

void add_pairs(GroupOrder& o, const Group& group) {
  constexpr double apart = 1.05;
  int agreed = 0;
  for (std::size_t i = 0; i < group.size(); ++i)
    for (std::size_t j = 0; j < group.size(); ++j) {
      if (i < j)
        agreed += order(measured(group[i]), measured(group[j])) *
                  order(predicted(group[i]), predicted(group[j]));
      if (measured(group[i]) <= apart * measured(group[j])) continue;  // i is slower
      ++o.pairs;
      o.right_pairs += predicted(group[i]) > predicted(group[j]) ? 1 : 0;
    }
  const auto n = static_cast<double>(group.size());
  o.rank_correlation = agreed / (n * (n - 1) / 2);
}

GroupOrder order_of(const Group& group) {
  constexpr double close = 1.03;
  const auto* const best = *std::ranges::min_element(group, {}, measured);
  const auto* const pick = *std::ranges::min_element(group, {}, predicted);
  GroupOrder o;
  o.source = best->source;
  o.group = best->group;
  o.what = best->what;
  o.rows = group.size();
  o.measured_best = best->id;
  o.predicted_best = pick->id;
  o.right_pick = measured(pick) <= close * measured(best);
  add_pairs(o, group);
  return o;
}

}  // namespace

std::vector<GroupOrder> group_orders(const TimeAccuracy& accuracy) {
  std::map<std::tuple<std::string, std::string, std::string>, Group> groups;
  for (const TimePrediction& p : accuracy.predictions)
    groups[{p.source, p.group, p.what}].push_back(&p);
  std::vector<GroupOrder> orders;
  for (const auto& [key, group] : groups)
    if (group.size() > 1) orders.push_back(order_of(group));
  return orders;
}

OrderStatistics order_statistics(const std::vector<GroupOrder>& orders, std::string_view source) {
  OrderStatistics s;
  double correlations = 0;
  for (const GroupOrder& o : orders) {
    if (!source.empty() && o.source != source) continue;
    ++s.groups;
    s.pairs += o.pairs;
    s.right_pairs += o.right_pairs;
    s.right_picks += o.right_pick ? 1 : 0;
    correlations += o.rank_correlation;
  }
  if (s.groups > 0) s.rank_correlation = correlations / static_cast<double>(s.groups);
  return s;
}

OrderStatistics order_statistics(const TimeAccuracy& accuracy, std::string_view source) {
  return order_statistics(group_orders(accuracy), source);
}

}  // namespace ithaca
