#include "sim/time.h"

#include <algorithm>
#include <numeric>

namespace ithaca {
namespace {

class Simulation {
 public:
  Simulation(const Program& p, const CostModel& cost)
      : p_(p),
        cost_(cost),
        ranks_(symmetric(p) ? 1 : p.mesh().ranks()),
        ready_(p.values().size() * ranks(), 0),
        begun_(p.steps().size() * ranks(), 0),
        free_(lanes() * ranks(), 0),
        compute_(ranks(), 0),
        comm_(ranks(), 0) {}

  Timeline run(const Schedule& schedule) && {
    for (const Slot& slot : schedule) issue(slot);
    timeline_.compute_s = std::ranges::max(compute_);
    timeline_.comm_s = std::ranges::max(comm_);
    timeline_.exposed_comm_s = timeline_.end_s - timeline_.compute_s;
    return std::move(timeline_);
  }

 private:
  std::size_t ranks() const { return static_cast<std::size_t>(ranks_); }
  std::size_t lanes() const { return p_.mesh().extents().size() + 1; }
  std::size_t at(std::size_t index, int rank) const { return index * ranks() + static_cast<std::size_t>(rank); }

  void issue(const Slot& slot) {
    const Step& step = p_.steps()[slot.step];
    const Traffic t = traffic_of(p_, step);
    if (t.wire == Wire::none || ranks_ == 1) {
      for (int rank = 0; rank < ranks_; ++rank) span(slot, t, rank, begin_of(slot, rank));
      return;
    }
    std::vector<double> begin(ranks());
    for (int rank = 0; rank < ranks_; ++rank) begin[static_cast<std::size_t>(rank)] = begin_of(slot, rank);
    for (int rank = 0; rank < ranks_; ++rank) {
      double last = 0;
      for (const int peer : p_.mesh().group(rank, t.axes)) last = std::max(last, begin[static_cast<std::size_t>(peer)]);
      span(slot, t, rank, last);
    }
  }

  double begin_of(const Slot& slot, int rank) const {
    double begin = free_[at(slot.lane, rank)];
    for (const ValueId v : p_.steps()[slot.step].in) begin = std::max(begin, ready_[at(v, rank)]);
    if (slot.after_begin >= 0)
      begin = std::max(begin, begun_[at(static_cast<std::size_t>(slot.after_begin), rank)]);
    return begin;
  }

  void span(const Slot& slot, const Traffic& t, int rank, double begin) {
    const Step& step = p_.steps()[slot.step];
    const double seconds = cost_.seconds(p_, step, rank), end = begin + seconds;
    begun_[at(slot.step, rank)] = begin;
    free_[at(slot.lane, rank)] = end;
    for (const ValueId v : step.out) ready_[at(v, rank)] = end;
    (t.wire == Wire::none ? compute_ : comm_)[static_cast<std::size_t>(rank)] += seconds;
    timeline_.spans.push_back({rank, slot.step, slot.lane, begin, end});
    timeline_.end_s = std::max(timeline_.end_s, end);
  }

  const Program& p_;
  const CostModel& cost_;
  int ranks_;
  std::vector<double> ready_, begun_, free_, compute_, comm_;
  Timeline timeline_;
};

}  // namespace

Timeline time(const Program& p, const Schedule& schedule, const CostModel& cost) {
  return Simulation(p, cost).run(schedule);
}

StepTime step_time(const Layer& layer, std::int64_t layers, bool overlap, const CostModel& cost) {
  const auto of = [&](const Program& p) { return time(p, overlap ? overlapped(p) : blocking(p), cost); };
  const Timeline one = of(layer.program);
  const auto n = static_cast<double>(layers);
  StepTime t;
  t.layer_s = one.end_s;
  const bool trains = layer.dy != no_value;
  const Timeline update = trains ? of(settle_program(layer)) : Timeline{};
  t.update_s = n * update.end_s;
  t.step_s = n * t.layer_s + t.update_s;
  t.compute_s = n * one.compute_s;
  t.exposed_comm_s = n * one.exposed_comm_s + t.update_s;
  return t;
}

}  // namespace ithaca
