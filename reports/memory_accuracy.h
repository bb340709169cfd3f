// reports/memory_accuracy.h -- what is predicted of memory beside what others measured, row by row.
//
// Every row that states memory, a longest sequence, or that it ran or ran out of memory is predicted or listed with
// the reason why not.  Nothing is fitted to these rows.
#pragma once

#include "reports/accuracy.h"

#include <string>
#include <vector>

namespace ithaca {

struct MemoryPrediction {
  std::string id, source;  ///< of the row; stem of its file
  std::string
      what;  ///< "after forward", "allocated peak", "device peak" in GiB; "longest" in tokens
  double measured = 0, predicted = 0;
  std::string profile, strategy, reading;
  double error() const { return predicted / measured - 1; }
};

/// Ran or out of memory.
struct MemoryDecision {
  std::string id, source;
  bool ran = false, fits = false;  ///< published; predicted
  double need_gib = 0, capacity_gib = 0;
  std::string profile, strategy, reading;
  bool right() const { return ran == fits; }
};

struct MemoryAccuracy {
  std::vector<MemoryPrediction> predictions;
  std::vector<MemoryDecision> decisions;
  std::vector<UnmodelledRow> unmodelled;
};

/// Whether the row states memory, a longest sequence, or that it ran or did not.
bool speaks_of_memory(const PublishedRow&);
/// Of the rows that say anything of memory, in their order.
MemoryAccuracy memory_accuracy(const std::vector<PublishedRow>&);

/// Statistics of the predictions of a source, or of all when it is empty; of one `what`, or of all but "longest".
ErrorStatistics memory_statistics(const MemoryAccuracy&, std::string_view source,
                                  std::string_view what = "");

struct DecisionCounts {
  std::size_t ran_fits = 0, ran_too_large = 0, failed_fits = 0, failed_too_large = 0;
  std::size_t right() const { return ran_fits + failed_too_large; }
  std::size_t all() const { return right() + ran_too_large + failed_fits; }
};
/// Of a source, or of all when it is empty.
DecisionCounts decisions(const MemoryAccuracy&, std::string_view source = "");

}  // namespace ithaca
