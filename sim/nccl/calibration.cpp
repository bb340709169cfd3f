#include "sim/nccl/calibration.h"

#include "models/error.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace ithaca {
namespace {

NcclHop slowest_hop(const NcclGroup& group) {
  return group.nodes > 1 ? NcclHop::net : group.inside;
}

/// The ring shift that nccl-tests calls sendrecv.
MessageTime shift(const NcclGroup& group, double bytes) {
  if (group.nodes == 1) return inside_message(group, bytes, group.pair_bytes_per_s);
  const MessageTime out = outside_message(group, bytes, group.nic_bytes_per_s);
  const MessageTime in = inside_message(group, bytes, group.pair_bytes_per_s);
  return group.nodes < group.ranks && in.seconds() > out.seconds() ? in : out;
}

/// Sums of the normal equations of  latency x + transfer y = measured,  each row over what was measured.
struct Normal {
  double ll = 0, lt = 0, tt = 0, l = 0, t = 0;
  void add(double latency, double transfer, double weight) {
    ll += weight * latency * latency;
    lt += weight * latency * transfer;
    tt += weight * transfer * transfer;
    l += weight * latency;
    t += weight * transfer;
  }
  LinkScale solve() const {
    const double both = (l + t) / (ll + 2 * lt + tt);
    const double determinant = ll * tt - lt * lt;
    if (determinant <= 1e-9 * ll * tt) return {both, both};
    const double x = (l * tt - t * lt) / determinant, y = (t * ll - l * lt) / determinant;
    if (x < 0) return {0, t / tt};
    if (y <= 0) return {both, both};
    return {x, y};
  }
};

double relative_error(const Observation& o, const LinkScale& scale) {
  const double predicted = o.model.latency_s * scale.latency + o.model.transfer_s * scale.transfer;
  return std::abs(predicted / o.measured_s - 1);
}

/// Least absolute errors by weights that are corrected from round to round.
LinkScale fitted(const std::vector<const Observation*>& all) {
  constexpr int most_rounds = 50;
  constexpr double smallest_error = 0.005;
  LinkScale scale;
  for (int round = 0; round < most_rounds; ++round) {
    Normal normal;
    for (const Observation* o : all) {
      const double error = round == 0 ? 1 : std::max(smallest_error, relative_error(*o, scale));
      normal.add(o->model.latency_s / o->measured_s, o->model.transfer_s / o->measured_s,
                 o->weight / error);
    }
    scale = normal.solve();
  }
  return scale;
}

}  // namespace

double ModelTime::seconds(const NcclCalibration& calibration) const {
  const auto it = calibration.find(link);
  if (it == calibration.end()) return seconds();
  return latency_s * it->second.latency + transfer_s * it->second.transfer;
}

ModelTime model_time(const NcclGroup& group, const NcclTime& time) {
  const bool nvls =
      time.algorithm == NcclAlgorithm::nvls || time.algorithm == NcclAlgorithm::nvls_tree;
  return {
      {slowest_hop(group), nvls ? LinkUse::nvls : LinkUse::rings}, time.latency_s, time.transfer_s};
}
ModelTime model_time(const NcclGroup& group, const MessageTime& time) {
  return {{slowest_hop(group), LinkUse::messages}, time.latency_s, time.transfer_s};
}

std::optional<ModelTime> model_time(const NcclModel& model, const std::string& collective,
                                    double bytes) {
  for (const NcclCollective coll :
       {NcclCollective::all_gather, NcclCollective::reduce_scatter, NcclCollective::all_reduce})
    if (collective == name_of(coll)) return model_time(model.group(), model.time(coll, bytes));
  if (collective == "alltoall") return model_time(model.group(), all_to_all(model.group(), bytes));
  if (collective == "sendrecv") return model_time(model.group(), shift(model.group(), bytes));
  return std::nullopt;
}

NcclCalibration calibrate(std::span<const Observation> observations) {
  std::map<LinkClass, std::vector<const Observation*>> classes;
  for (const Observation& o : observations) classes[o.model.link].push_back(&o);
  NcclCalibration calibration;
  for (const auto& [link, all] : classes) calibration[link] = fitted(all);
  return calibration;
}

MeasuredCurve::MeasuredCurve(const std::vector<CollectivePoint>& points) {
  require(!points.empty(), "a measured curve has points");
  std::map<double, std::pair<double, int>> sums;
  for (const CollectivePoint& p : points) {
    sums[p.bytes].first += p.seconds;
    ++sums[p.bytes].second;
  }
  for (const auto& [bytes, sum] : sums) points_.push_back({bytes, sum.first / sum.second});
}

double MeasuredCurve::seconds(double bytes) const {
  const auto after = std::ranges::lower_bound(points_, bytes, {}, &CollectivePoint::bytes);
  if (after == points_.begin()) return after->seconds;
  const CollectivePoint& before = *(after - 1);
  if (after == points_.end()) return before.seconds * bytes / before.bytes;
  const double along = std::log(bytes / before.bytes) / std::log(after->bytes / before.bytes);
  return before.seconds * std::pow(after->seconds / before.seconds, along);
}

NcclMeasurements measurements(const Cluster& cluster, const std::vector<CollectiveTable>& tables,
                              const NcclConstants& nccl) {
  NcclMeasurements all;
  std::vector<Observation> observations;
  for (const CollectiveTable& table : tables) {
    std::vector<int> ranks(static_cast<std::size_t>(table.gpus));
    std::iota(ranks.begin(), ranks.end(), 0);
    const GroupShape shape = group_shape(cluster, ranks);
    if (table.nodes > 0 && table.nodes != shape.nodes &&
        cluster.gpus_per_node == island_gpus(cluster))
      throw InputError(table.place, "nodes",
                       fmt::format("expected {} for {} GPUs of {}, got {}", shape.nodes, table.gpus,
                                   cluster.name, table.nodes));
    const NcclModel model(nccl_group(cluster, ranks, nccl), nccl);
    all.curves.try_emplace({table.collective, shape}, table.points);
    for (const CollectivePoint& point : table.points)
      if (const auto time = model_time(model, table.collective, point.bytes))
        observations.push_back(
            {*time, point.seconds, 1 / static_cast<double>(table.points.size())});
  }
  all.calibration = calibrate(observations);
  return all;
}

}  // namespace ithaca
