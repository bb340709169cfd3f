// reports/time_accuracy.h -- what is predicted of time beside what others measured, row by row.
//
// Every row that states a time, or a throughput that gives one, is predicted or listed with the reason why not.  Nothing
// is fitted to these rows.
#pragma once

#include "reports/accuracy.h"
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
  int compute_capability = 0;  ///< of the GPU, as Gpu has it
  double error() const { return predicted_s / measured_s - 1; }
};

struct TimeAccuracy {
  std::vector<TimePrediction> predictions;
  std::vector<UnmodelledRow> unmodelled;
};

/// Whether the row states a time, or anything that gives one.
bool speaks_of_time(const PublishedRow&);
/// Of the rows that say anything of time, in their order.
TimeAccuracy time_accuracy(const std::vector<PublishedRow>&);

/// Of the predictions of a source; of all that count when it is empty.
ErrorStatistics time_statistics(const TimeAccuracy&, std::string_view source);

}  // namespace ithaca
