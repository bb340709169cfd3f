// reports/accuracy.h -- what predictions beside published measurements share: rows without one, statistics of errors.
//
// The error of a prediction is predicted over measured less one.
#pragma once

#include "reports/published_setup.h"

#include <functional>
#include <string>
#include <vector>

namespace ithaca {

/// Listed with its reason, never dropped.
struct UnmodelledRow {
  std::string id, source, reason;
};

/// Reads the row and calls `predict` once; what is in the way of either is appended to the list.
void predict_row(const PublishedRow&, std::vector<UnmodelledRow>&,
                 const std::function<void(const PublishedSetup&)>& predict);

/// Of absolute errors; all 0 when there are none.
struct ErrorStatistics {
  std::size_t rows = 0;
  double median = 0, p90 = 0, max = 0;
  double bias = 0;  ///< median of the signed errors
};
ErrorStatistics statistics(std::vector<double> errors);

/// Of one value at least, in rising order: the least that the share `q` of them does not exceed.
double quantile(const std::vector<double>& sorted, double q);

}  // namespace ithaca
