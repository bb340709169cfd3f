#include "sim/measured_collectives.h"

#include <algorithm>
#include <cmath>

namespace ithaca {

const char* nccl_tests_name(Wire wire) {
  if (wire == Wire::all_to_all) return "alltoall";
  return wire == Wire::send_recv ? "sendrecv" : name_of(wire);
}

MeasuredCollectives::MeasuredCollectives(const std::vector<CollectiveTable>& tables) {
  for (const CollectiveTable& t : tables)
    curves_[{t.collective, t.gpus, std::max(t.nodes, 1)}].try_emplace(std::max(t.at_once, t.gpus),
                                                                      t.points);
}

std::optional<double> MeasuredCollectives::seconds(Wire wire, const MeasuredGroup& group,
                                                   double bytes) const {
  const auto it = curves_.find({nccl_tests_name(wire), group.members, group.nodes});
  if (it == curves_.end()) return std::nullopt;
  const auto away = [&](const auto& curve) {
    return std::abs(std::log(static_cast<double>(curve.first) / group.at_once));
  };
  return std::ranges::min_element(it->second, {}, away)->second.seconds(bytes);
}

}  // namespace ithaca
