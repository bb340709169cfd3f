// reports/error_bands.h -- how far measured times lay from predicted ones, by kind of GPU: the band beside a prediction.
//
// A band holds measured over predicted less one of the published rows that count (reports/time_accuracy.h), from the 10th
// to the 90th percentile, in whole percent.  reports/error_bands.yaml is written by `ithaca validate -o reports`.
#pragma once

#include "reports/json.h"
#include "reports/time_accuracy.h"
#include "sim/cluster.h"

#include <optional>
#include <string>
#include <vector>

namespace ithaca {

struct ErrorBand {
  int compute_capability = 0;  ///< as Gpu has it; 0: of all GPUs
  std::size_t rows = 0;
  int low_percent = 0, high_percent = 0;
};

/// Of all rows that count, then of each kind of GPU with 20 rows at least.  Empty when no row counts.
std::vector<ErrorBand> error_bands(const TimeAccuracy&);
/// The shipped file.
std::string bands_yaml(const std::vector<ErrorBand>&);
/// InputError with place and key for anything wrong.
std::vector<ErrorBand> read_bands(const std::string& path);

/// As shipped, of the GPU's kind, else of all; nothing for what is not a GPU, or when none are shipped.
std::optional<ErrorBand> shipped_band(const Gpu&);
/// " (-9 % ... +14 %)"; empty for nothing.
std::string band_text(const std::optional<ErrorBand>&);
/// {"low", "high", "low_s", "high_s", "rows", "gpus"}, fractions of the prediction; null for nothing.
Json band_json(const std::optional<ErrorBand>&, double predicted_s);

}  // namespace ithaca
