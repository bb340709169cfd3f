// sim/nccl/calibration.h -- NCCL's times corrected by measured ones.
//
// Two ways.  A measured curve of the very collective and group answers by itself.  Else the model's latency and transfer
// time are scaled, each by one factor a class of links, fitted to tables of the same hardware: NCCL goes on to choose by
// its own tables, as it really does, and only the time of its choice changes.
#pragma once

#include "sim/nccl/messages.h"
#include "sim/nccl/model.h"
#include "sim/nccl/tables.h"

#include <compare>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ithaca {

/// What a collective's time hangs on: its slowest hop, and the kind of kernel.
enum class LinkUse : std::uint8_t { rings, nvls, messages };
struct LinkClass {
  NcclHop hop = NcclHop::nvlink;
  LinkUse use = LinkUse::rings;
  auto operator<=>(const LinkClass&) const = default;
};

struct LinkScale {
  double latency = 1, transfer = 1;
};
using NcclCalibration = std::map<LinkClass, LinkScale>;

/// What the model says before correction.
struct ModelTime {
  LinkClass link;
  double latency_s = 0, transfer_s = 0;
  double seconds() const { return latency_s + transfer_s; }
  double seconds(const NcclCalibration&) const;  ///< unscaled where the class was not measured
};
ModelTime model_time(const NcclGroup&, const NcclTime&);
ModelTime model_time(const NcclGroup&, const MessageTime&);

/// Of a table's collective on a group.  Nothing for collectives that no model here knows.
std::optional<ModelTime> model_time(const NcclModel&, const std::string& collective, double bytes);

struct Observation {
  ModelTime model;
  double measured_s = 0;
  double weight = 1;
};
/// Factors of the least weighted sum of relative errors; both at least 0.  A class whose observations all have one size
/// gets one factor for both.
NcclCalibration calibrate(std::span<const Observation>);

/// Seconds by size: straight between points on logarithmic axes; before the first its time, after the last its rate.
class MeasuredCurve {
 public:
  /// At least one point; of several of one size the mean counts.
  explicit MeasuredCurve(const std::vector<CollectivePoint>&);
  double seconds(double bytes) const;

 private:
  std::vector<CollectivePoint> points_;
};

/// What is known of a cluster beside NCCL's own tables.
struct NcclMeasurements {
  NcclCalibration calibration;
  std::map<std::pair<std::string, GroupShape>, MeasuredCurve> curves;  ///< by collective
  bool empty() const { return calibration.empty() && curves.empty(); }
};

/// Of tables measured on the cluster's first GPUs: each answers for its own collective and group, all together calibrate
/// the rest.  InputError when a table's GPUs do not lie on as many nodes as it says.
NcclMeasurements measurements(const Cluster&, const std::vector<CollectiveTable>&,
                              const NcclConstants& = default_nccl());

}  // namespace ithaca
