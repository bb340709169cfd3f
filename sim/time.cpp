#include "sim/time.h"

#include <algorithm>
#include <numeric>

namespace ithaca {
namespace {

class Simulation {
 public:
  Simulation(const Program& p, const CostModel& cost)
      : p_(p), cost_(cost), uneven_(uneven_axes(p)) {
    ranks_ = p.mesh().group(0, uneven_);
    ready_.resize(p.values().size() * ranks_.size());
    begun_.resize(p.steps().size() * ranks_.size());
    free_.resize(lanes * ranks_.size());
    compute_.resize(ranks_.size());
    comm_.resize(ranks_.size());
  }

  Timeline run(const Schedule& schedule) && {
    timeline_.spans.reserve(schedule.size() * ranks_.size());
    for (const Slot& slot : schedule) issue(slot);
    timeline_.compute_s = std::ranges::max(compute_);
    timeline_.comm_s = std::ranges::max(comm_);
    timeline_.exposed_comm_s = timeline_.end_s - timeline_.compute_s;
    return std::move(timeline_);
  }

 private:
  std::size_t at(std::size_t index, std::size_t who) const { return index * ranks_.size() + who; }

  void issue(const Slot& slot) {
    const Traffic t = traffic_of(p_, p_.steps()[slot.step]);
    std::vector<double> begin(ranks_.size());
    for (std::size_t who = 0; who < ranks_.size(); ++who) begin[who] = begin_of(slot, who);
    for (std::size_t who = 0; who < ranks_.size(); ++who)
      span(slot, t, who, t.wire == Wire::none ? begin[who] : last_of_group(begin, t, who));
  }

  double begin_of(const Slot& slot, std::size_t who) const {
    double begin = free_[at(slot.lane, who)];
    for (const ValueId v : p_.steps()[slot.step].in) begin = std::max(begin, ready_[at(v, who)]);
    if (slot.after_compute) begin = std::max(begin, free_[at(0, who)]);
    if (slot.after_begin >= 0)
      begin = std::max(begin, begun_[at(static_cast<std::size_t>(slot.after_begin), who)]);
    return begin;
  }

  /// A collective begins when the last of its group is ready.
  double last_of_group(const std::vector<double>& begin, const Traffic& t, std::size_t who) const {
    AxisList joined;
    for (const Axis axis : t.axes)
      if (contains(uneven_, axis)) joined.push_back(axis);
    double last = 0;
    for (const int peer : p_.mesh().group(ranks_[who], joined))
      last = std::max(last, begin[static_cast<std::size_t>(p_.mesh().position(peer, uneven_))]);
    return last;
  }

  void span(const Slot& slot, const Traffic& t, std::size_t who, double begin) {
    const Step& step = p_.steps()[slot.step];
    const double seconds = static_cast<double>(step.tiles) * cost_.seconds(p_, step, ranks_[who]);
    const double end = begin + seconds;
    begun_[at(slot.step, who)] = begin;
    free_[at(slot.lane, who)] = end;
    for (const ValueId v : step.out) ready_[at(v, who)] = end;
    (t.wire == Wire::none ? compute_ : comm_)[who] += seconds;
    timeline_.spans.push_back({ranks_[who], slot.step, slot.lane, begin, end});
    timeline_.end_s = std::max(timeline_.end_s, end);
  }

  const Program& p_;
  const CostModel& cost_;
  AxisList uneven_;
  std::vector<int> ranks_;  ///< those that are simulated, ordered by position over the uneven axes
  std::vector<double> ready_, begun_, free_, compute_, comm_;
  Timeline timeline_;
};

}  // namespace

Timeline time(const Program& p, const Schedule& schedule, const CostModel& cost) {
  return Simulation(p, cost).run(schedule);
}

}  // namespace ithaca
