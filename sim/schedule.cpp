#include "sim/schedule.h"

#include "models/wire.h"

namespace ithaca {
namespace {

/// First step that reads each value, or -1.
std::vector<std::int32_t> first_readers(const Program& p) {
  std::vector<std::int32_t> reader(p.values().size(), -1);
  for (std::size_t i = 0; i < p.steps().size(); ++i)
    for (const ValueId v : p.steps()[i].in)
      if (reader[v] < 0) reader[v] = static_cast<std::int32_t>(i);
  return reader;
}

bool gathers_weight(const Program& p, const Step& step) {
  return p[step.out[0]].role == Role::weight && traffic_of(p, step).wire == Wire::all_gather;
}

bool runs_beside(const Program& p, const Step& step, const Streams& streams) {
  if (std::holds_alternative<Copy>(step.op)) return true;
  if (std::holds_alternative<Shift>(step.op)) return streams.hops;
  if (gathers_weight(p, step)) return streams.weights;
  if (p[step.out[0]].role == Role::weight_gradient) return streams.gradients;
  return streams.activations;
}

}  // namespace

Lane lane_of(const Program& p, const Step& step) {
  if (const auto* const copy = std::get_if<Copy>(&step.op))
    return copy->to_host ? to_host_lane : from_host_lane;
  const Traffic t = traffic_of(p, step);
  return t.wire == Wire::none ? Lane{0} : static_cast<Lane>(1 + t.axes.back().id);
}

Schedule blocking(const Program& p) {
  Schedule schedule;
  for (std::uint32_t i = 0; i < p.steps().size(); ++i) schedule.push_back({i, 0});
  return schedule;
}

Schedule overlapped(const Program& p, const Streams& streams) {
  Schedule schedule;
  const std::vector<std::int32_t> reader = first_readers(p);
  std::int32_t in_use = -1;   // where the weight gathered before is first used
  std::int32_t fetched = -1;  // the same of what was fetched from the host
  for (std::uint32_t i = 0; i < p.steps().size(); ++i) {
    const Step& step = p.steps()[i];
    if (!runs_beside(p, step, streams)) {
      schedule.push_back({i, 0});
      continue;
    }
    Slot slot{i, lane_of(p, step), -1, std::holds_alternative<Shift>(step.op)};
    if (gathers_weight(p, step)) {
      if (in_use < static_cast<std::int32_t>(i)) slot.after_begin = in_use;
      in_use = reader[step.out[0]];
    }
    if (const auto* const copy = std::get_if<Copy>(&step.op); copy != nullptr && !copy->to_host) {
      if (fetched < static_cast<std::int32_t>(i)) slot.after_begin = fetched;
      fetched = reader[step.out[0]];
    }
    schedule.push_back(slot);
  }
  return schedule;
}

}  // namespace ithaca
