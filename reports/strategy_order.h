// reports/strategy_order.h -- whether predictions put strategies in the measured order, inside groups of comparable rows.
//
// Rows of a group differ in how the work is split and by which framework; they are compared by seconds a token.
#pragma once

#include "reports/time_accuracy.h"

#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

/// A group of two rows at least.
struct GroupOrder {
  std::string source, group, what;
  std::size_t rows = 0;
  std::size_t pairs = 0;        ///< measured to differ by more than 5 %
  std::size_t right_pairs = 0;  ///< of these, predicted in that order
  double rank_correlation = 0;  ///< Kendall's tau over all pairs of the group, -1 to 1
  std::string measured_best, predicted_best;  ///< ids
  bool right_pick = false;  ///< the predicted best is measured within 3 % of the best
};
std::vector<GroupOrder> group_orders(const TimeAccuracy&);

/// Of the groups of a source, or of all when it is empty.
struct OrderStatistics {
  std::size_t groups = 0, pairs = 0, right_pairs = 0, right_picks = 0;
  double rank_correlation = 0;  ///< mean of the groups
};
OrderStatistics order_statistics(const std::vector<GroupOrder>&, std::string_view source);
OrderStatistics order_statistics(const TimeAccuracy&, std::string_view source);

}  // namespace ithaca
