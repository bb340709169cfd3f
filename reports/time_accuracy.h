// reports/time_accuracy.h -- what is predicted of time beside what others measured, row by row.
//
// Every row that states a time, or a throughput that gives one, is predicted or listed with the reason why not.  Nothing
// is fitted to these rows.
#pragma once

#include "reports/memory_accuracy.h"
#include "reports/published_rows.h"

#include <string>
#include <vector>

namespace ithaca {

struct TimePrediction {
  std::string id, source;  ///< of the row; stem of its file
  std::string what;        ///< "step"; "forward", "backward" of a layer; "attention forward", ...
  double measured_s = 0, predicted_s = 0;
  /// Tokens a GPU works through in that time: what makes rows with other batches comparable.
  double tokens_per_gpu = 0;
  std::string group;  ///< rows of one group differ in how they are split, and by which framework
  /// End to end or a whole layer, digits of a table, nothing on the host: counts among "all".
  bool counts = true;
  std::string profile, strategy, reading;
  double error() const { return predicted_s / measured_s - 1; }
};

struct TimeAccuracy {
  std::vector<TimePrediction> predictions;
  std::vector<UnmodelledRow> unmodelled;
};

/// Of the rows that say anything of time, in their order.
TimeAccuracy time_accuracy(const std::vector<PublishedRow>&);

/// Of the predictions of a source; of all that count when it is empty.
ErrorStatistics time_statistics(const TimeAccuracy&, std::string_view source);

/// How well the order of strategies is predicted inside the groups of a source, or of all when it is empty.
struct OrderStatistics {
  std::size_t groups = 0;       ///< of two rows at least
  std::size_t pairs = 0;        ///< measured to differ by more than 5 %
  std::size_t right_pairs = 0;  ///< of these, predicted in that order
  std::size_t right_picks = 0;  ///< groups whose predicted best is measured within 3 % of the best
};
OrderStatistics order_statistics(const TimeAccuracy&, std::string_view source);

}  // namespace ithaca
