// reports/published_accuracy.h -- everything of a folder of published measurements beside its predictions.
//
// A folder has *.yaml of rows (reports/published_rows.h), collectives/*.yaml (sim/nccl/tables.h) and kernels/*.yaml
// (reports/kernel_accuracy.h), any of the three.
#pragma once

#include "reports/collective_accuracy.h"
#include "reports/kernel_accuracy.h"
#include "reports/memory_accuracy.h"
#include "reports/time_accuracy.h"

#include <string>
#include <vector>

namespace ithaca {

struct PublishedAccuracy {
  std::vector<PublishedRow> rows;
  TimeAccuracy time;
  MemoryAccuracy memory;
  CollectiveAccuracy collectives;
  KernelAccuracy kernels;
  std::vector<UnmodelledRow>
      others;  ///< rows of neither time nor memory, tables that no point is predicted of
};

/// Throws InputError when the folder has none of the three, or for anything wrong in them.
PublishedAccuracy published_accuracy(const std::string& folder);

/// Of the points of a table's file, signed; of all tables when it is empty.
ErrorStatistics collective_statistics(const CollectiveAccuracy&, std::string_view file);

}  // namespace ithaca
