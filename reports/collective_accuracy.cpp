#include "reports/collective_accuracy.h"

#include "models/data_dir.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string_view>

namespace ithaca {
namespace {

/// The first whose texts stand in the table's header says its machine; an empty hardware: `cluster` is the reason.
struct Machine {
  std::string_view gpu, inter, notes, cluster, hardware;
  bool sharp = false;
};
constexpr std::string_view one_node = "one node";
constexpr std::array machines{
    Machine{"V100", "", "", "NVLinks of a DGX-1 differ from pair to pair: no preset has them", ""},
    Machine{"MI355X", "", "", "not a machine of NVIDIA", ""},
    Machine{"RTX 6000D", "", "", "no preset: PCIe 5 box with 8 NICs of 400 Gb/s", ""},
    Machine{"unknown", "", "", "hardware not known", ""},
    Machine{"GB200", "", "", "gb200-nvl72", "GB200 NVL72"},
    Machine{"GB300", "", "", "gb300-nvl72", "GB300 RoCE"},
    Machine{"H20 ", "", "", "hgx-h20", "Hopper NVSwitch"},
    Machine{"H200", one_node, "", "dgx-h200", "Hopper NVSwitch"},
    Machine{"H100", one_node, "", "dgx-h100", "Hopper NVSwitch"},
    Machine{"H100", "SHARP", "", "dgx-h100", "H100 NDR SHARP", true},
    Machine{"H100", "OCI", "", "oci-h100", "H100 OCI"},
    Machine{"H100", "EFA", "", "aws-p5", "H100 EFA"},
    Machine{"B200", one_node, "", "dgx-b200", "B200 NVSwitch"},
    Machine{"B200", "EFA", "", "aws-p6-b200", "B200 EFA"},
    Machine{"B200", "NDR400", "", "dgx-b200", "B200 NDR"},
    Machine{"A100", one_node, "", "dgx-a100-80g", "A100 NVSwitch"},
    Machine{"A100", "EFA", "", "aws-p4de", "A100 EFA"},
    Machine{"A100", "HDR200", "", "dgx-a100-40g", "A100 HDR"},
    Machine{"A100", "Slingshot", "environment setup (1)", "polaris", "A100 Slingshot by TCP"},
    Machine{"A100", "Slingshot", "", "polaris", "A100 Slingshot"},
};

bool fits(const Machine& m, const CollectiveTable& t) {
  if (m.inter == one_node && t.nodes != 1) return false;
  if (m.inter != one_node && t.inter.find(m.inter) == std::string::npos) return false;
  return (t.gpu + ' ').find(m.gpu) != std::string::npos &&
         t.notes.find(m.notes) != std::string::npos;
}

/// The first GPUs; of racks that one NVLink domain does not join in the table, those of each.
std::vector<int> ranks_of(const CollectiveTable& t, const Machine& m) {
  std::vector<int> ranks(static_cast<std::size_t>(t.gpus));
  std::iota(ranks.begin(), ranks.end(), 0);
  constexpr int rack = 72;
  if (m.gpu == "GB300")
    for (int& rank : ranks) rank = rank / t.gpus_per_node * rack + rank % t.gpus_per_node;
  return ranks;
}

struct Observed {
  std::vector<Observation> observations;
  std::vector<PointAccuracy> points;  ///< one for each
};

Observed observe(const CollectiveTable& table, const CollectiveSetup& setup, double least_bytes) {
  NcclGroup group = nccl_group(load_cluster(setup.cluster), setup.ranks);
  group.sharp = setup.sharp;
  const NcclModel model(group);
  Observed found;
  for (const CollectivePoint& point : table.points)
    if (point.bytes >= least_bytes)
      if (const auto time = model_time(model, table.collective, point.bytes)) {
        found.observations.push_back({*time, point.seconds});
        found.points.push_back({point.bytes, point.seconds, time->seconds({})});
      }
  for (Observation& o : found.observations)
    o.weight = 1.0 / static_cast<double>(found.observations.size());
  return found;
}

double error_of(const Observation& o, const NcclCalibration& calibration) {
  return std::abs(o.model.seconds(calibration) / o.measured_s - 1);
}

/// Of the points whose class of links other tables measured.
std::vector<double> left_out_errors(const std::vector<TableAccuracy>& tables,
                                    const std::vector<std::vector<Observation>>& observations,
                                    std::size_t left_out) {
  std::vector<Observation> others;
  for (std::size_t i = 0; i < tables.size(); ++i)
    if (i != left_out && tables[i].setup.hardware == tables[left_out].setup.hardware)
      others.insert(others.end(), observations[i].begin(), observations[i].end());
  const NcclCalibration calibration = calibrate(others);
  std::vector<double> errors;
  for (const Observation& o : observations[left_out])
    if (calibration.contains(o.model.link)) errors.push_back(error_of(o, calibration));
  return errors;
}

}  // namespace

CollectiveSetupOrReason setup_of(const CollectiveTable& table) {
  const auto it = std::ranges::find_if(machines, [&](const Machine& m) { return fits(m, table); });
  if (it == machines.end()) return {{}, "no preset describes the machine"};
  if (it->hardware.empty()) return {{}, std::string(it->cluster)};
  return {CollectiveSetup{std::string(it->cluster), std::string(it->hardware), ranks_of(table, *it),
                          it->sharp},
          ""};
}

CollectiveAccuracy collective_accuracy(const std::vector<CollectiveTable>& tables,
                                       double least_bytes) {
  CollectiveAccuracy all;
  std::vector<std::vector<Observation>> observations;
  for (const CollectiveTable& table : tables) {
    const CollectiveSetupOrReason found = setup_of(table);
    if (!found.setup) {
      all.unmodelled.emplace_back(table, found.reason);
      continue;
    }
    Observed seen = observe(table, *found.setup, least_bytes);
    TableAccuracy accuracy{table, *found.setup, {}, {}, std::move(seen.points)};
    for (const PointAccuracy& point : accuracy.points)
      accuracy.preset_errors.push_back(std::abs(point.error()));
    observations.push_back(std::move(seen.observations));
    all.tables.push_back(std::move(accuracy));
  }
  for (std::size_t i = 0; i < all.tables.size(); ++i)
    all.tables[i].calibrated_errors = left_out_errors(all.tables, observations, i);
  return all;
}

std::vector<double> CollectiveAccuracy::preset_errors() const {
  std::vector<double> errors;
  for (const TableAccuracy& t : tables)
    errors.insert(errors.end(), t.preset_errors.begin(), t.preset_errors.end());
  return errors;
}
std::vector<double> CollectiveAccuracy::calibrated_errors() const {
  std::vector<double> errors;
  for (const TableAccuracy& t : tables)
    errors.insert(errors.end(), t.calibrated_errors.begin(), t.calibrated_errors.end());
  return errors;
}

std::string published_collectives_folder() {
  return (data_dir() / "reports" / "published" / "collectives").string();
}

double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace ithaca
