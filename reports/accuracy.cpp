#include "reports/accuracy.h"

#include "models/error.h"
#include "reports/published_setups.h"

#include <algorithm>
#include <cmath>

namespace ithaca {
namespace {

double median_of(const std::vector<double>& sorted) {
  const std::size_t n = sorted.size();
  return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

}  // namespace

void predict_row(const PublishedRow& row, std::vector<UnmodelledRow>& unmodelled,
                 const std::function<void(const PublishedSetup&)>& predict) {
  const auto setup = setup_of(row);
  if (const auto* const reason = std::get_if<Unmodelled>(&setup)) {
    unmodelled.push_back({row.id, row.file, reason->reason});
    return;
  }
  try {
    predict(std::get<PublishedSetup>(setup));
  } catch (const CannotModel& reason) {
    unmodelled.push_back({row.id, row.file, reason.reason});
  } catch (const InputError& error) {  // the step is impossible
    unmodelled.push_back({row.id, row.file, error.what()});
  }
}

ErrorStatistics statistics(std::vector<double> errors) {
  if (errors.empty()) return {};
  std::ranges::sort(errors);
  ErrorStatistics s{errors.size(), 0, 0, 0, median_of(errors)};
  for (double& error : errors) error = std::abs(error);
  std::ranges::sort(errors);
  s.median = median_of(errors);
  s.p90 = quantile(errors, 0.9);
  s.max = errors.back();
  return s;
}

double quantile(const std::vector<double>& sorted, double q) {
  require(!sorted.empty(), "a quantile is of one value at least");
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace ithaca
