// reports/collective_accuracy.h -- how far predicted times of collectives are from published ones.
//
// Each table of reports/published/collectives is predicted twice: from its cluster's preset alone, and after calibration
// by the other tables of the same hardware, itself left out.  Points below 1 MiB are left to latency and not counted.
#pragma once

#include "sim/nccl/calibration.h"

#include <optional>
#include <string>
#include <vector>

namespace ithaca {

/// What a table was measured on.
struct CollectiveSetup {
  std::string cluster;   ///< a preset
  std::string hardware;  ///< tables of the same links calibrate one another
  std::vector<int> ranks;
  bool sharp = false;
};

/// Nothing, and why, when no preset describes the machine.
struct CollectiveSetupOrReason {
  std::optional<CollectiveSetup> setup;
  std::string reason;
};
CollectiveSetupOrReason setup_of(const CollectiveTable&);

/// By the preset alone.
struct PointAccuracy {
  double bytes = 0, measured_s = 0, predicted_s = 0;
  double error() const { return predicted_s / measured_s - 1; }
};

struct TableAccuracy {
  CollectiveTable table;
  CollectiveSetup setup;
  std::vector<double> preset_errors;  ///< |predicted / measured - 1|, a point each
  std::vector<double>
      calibrated_errors;  ///< empty when no other table measures the same classes of links
  std::vector<PointAccuracy> points;
};

struct CollectiveAccuracy {
  std::vector<TableAccuracy> tables;
  std::vector<std::pair<CollectiveTable, std::string>> unmodelled;  ///< with the reason
  std::vector<double> preset_errors() const;                        ///< of all points
  std::vector<double> calibrated_errors()
      const;  ///< of all points of the tables that were calibrated
};

/// `least_bytes` and more are compared.
CollectiveAccuracy collective_accuracy(const std::vector<CollectiveTable>&,
                                       double least_bytes = 1 << 20);
/// The folder that ships with the program.
std::string published_collectives_folder();

/// NaN of nothing.
double median(std::vector<double>);

}  // namespace ithaca
