#include "sim/time.h"

#include "models/error.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <span>
#include <tuple>

namespace ithaca {
namespace {

/// Ranks work through the queues of their lanes; whatever ends may let something begin.
class Simulation {
 public:
  Simulation(const Program& p, const Schedule& schedule, const CostModel& cost)
      : p_(p), schedule_(schedule), cost_(cost), uneven_(uneven_axes(p)) {
    for (const int id : p.mesh().group(0, uneven_)) ranks_.push_back(Rank{.id = id});
    made_.resize(p.values().size() * ranks_.size(), true);
    for (const Slot& slot : schedule)
      for (const ValueId v : p.steps()[slot.step].out)
        for (std::size_t who = 0; who < ranks_.size(); ++who) made_[at(v, who)] = false;
    begun_.resize(p.steps().size() * ranks_.size());
    waits_.resize(schedule.size() * ranks_.size());
    waiting_.resize(schedule.size() * ranks_.size());
    timeline_.spans.resize(schedule.size() * ranks_.size());
    sort_out();
  }

  Timeline run() && {
    for (std::size_t who = 0; who < ranks_.size(); ++who) begin_what_can(who);
    while (!ends_.empty()) {
      const End end = ends_.top();
      ends_.pop();
      const auto& running = ranks_[end.who].running[end.lane];
      if (!running || running->version != end.version) continue;
      now_s_ = end.at_s;
      finish(end.who, end.lane);
      begin_what_can(end.who);
    }
    require(ended_ == timeline_.spans.size(), "a schedule in the order of its operands ends");
    for (const Rank& rank : ranks_) {
      timeline_.compute_s = std::max(timeline_.compute_s, rank.compute_s);
      timeline_.comm_s = std::max(timeline_.comm_s, rank.comm_s);
    }
    timeline_.end_s = now_s_;
    timeline_.exposed_comm_s = timeline_.end_s - timeline_.compute_s;
    return std::move(timeline_);
  }

 private:
  struct Running {
    std::size_t slot;
    double alone_s;          ///< the whole, at full speed
    double left_s, since_s;  ///< what of it was to do then
    double speed = 1;
    double leaves = 1;     ///< of the speed of kernels beside it
    bool held = false;     ///< some of the time it ran beside transfers
    unsigned version = 0;  ///< of the end that was foretold last
  };
  struct Rank {
    int id;
    std::array<std::size_t, lanes> next{};  ///< position in the lane's queue
    std::array<std::optional<Running>, lanes> running{};
    std::size_t on_first_lane = 0;  ///< steps that ended there
    double compute_s = 0, comm_s = 0;
  };
  struct End {
    double at_s;
    std::size_t who;
    Lane lane;
    unsigned version;
    bool operator>(const End& other) const {
      return std::tie(at_s, who, lane) > std::tie(other.at_s, other.who, other.lane);
    }
  };

  std::size_t at(std::size_t index, std::size_t who) const { return index * ranks_.size() + who; }
  const Step& step_of(std::size_t slot) const { return p_.steps()[schedule_[slot].step]; }

  /// Slots by lane, what each waits for on lane 0, and whether it computes.
  void sort_out() {
    std::size_t on_first_lane = 0;
    for (std::size_t i = 0; i < schedule_.size(); ++i) {
      queue_[schedule_[i].lane].push_back(i);
      before_.push_back(schedule_[i].after_compute ? on_first_lane : 0);
      on_first_lane += schedule_[i].lane == 0 ? 1 : 0;
      const Traffic t = traffic_of(p_, step_of(i));
      AxisList joined;
      if (t.wire != Wire::none)
        for (const Axis axis : t.axes)
          if (contains(uneven_, axis)) joined.push_back(axis);
      together_.push_back(&groups_over(joined));
      transfers_.push_back(t.wire != Wire::none || std::holds_alternative<Copy>(step_of(i).op));
    }
  }

  /// Groups over some of the uneven axes, by rank: positions of all simulated ranks in it.
  using Groups = std::vector<std::vector<std::size_t>>;

  const Groups& groups_over(const AxisList& axes) {
    const auto [it, fresh] = groups_.try_emplace(axes);
    for (std::size_t who = 0; who < ranks_.size() && fresh; ++who) {
      it->second.emplace_back();
      for (const int peer : p_.mesh().group(ranks_[who].id, axes))
        it->second.back().push_back(static_cast<std::size_t>(p_.mesh().position(peer, uneven_)));
    }
    return it->second;
  }

  bool ready(std::size_t i, std::size_t who) const {
    const Slot& slot = schedule_[i];
    if (slot.after_begin >= 0 && !begun_[at(static_cast<std::size_t>(slot.after_begin), who)])
      return false;
    return before_[i] <= ranks_[who].on_first_lane &&
           std::ranges::all_of(p_.steps()[slot.step].in,
                               [&](ValueId v) { return made_[at(v, who)]; });
  }

  void begin_what_can(std::size_t first) {
    std::vector<std::size_t> todo{first};
    while (!todo.empty()) {
      const std::size_t who = todo.back();
      todo.pop_back();
      for (Lane lane = 0; lane < lanes; ++lane)
        for (const std::size_t begun : begin_next(who, lane)) todo.push_back(begun);
    }
  }

  /// Begins the next step of a lane if all who do it can; these, or none.
  std::span<const std::size_t> begin_next(std::size_t who, Lane lane) {
    const Rank& rank = ranks_[who];
    if (rank.running[lane] || rank.next[lane] == queue_[lane].size()) return {};
    const std::size_t i = queue_[lane][rank.next[lane]];
    if (waits_[at(i, who)] || !ready(i, who)) return {};
    waits_[at(i, who)] = true;
    const std::vector<std::size_t>& all = (*together_[i])[who];
    if (++waiting_[at(i, all.front())] < all.size()) return {};
    const Step& step = step_of(i);
    const double seconds = static_cast<double>(step.tiles) * cost_.seconds(p_, step, rank.id),
                 leaves = transfers_[i] ? cost_.leaves(p_, step, rank.id) : 1;
    for (const std::size_t peer : all) begin(peer, lane, i, {seconds, leaves});
    return all;
  }

  /// Of a step, the same for all who do it together.
  struct Cost {
    double seconds, leaves;
  };

  void begin(std::size_t who, Lane lane, std::size_t i, const Cost& cost) {
    Rank& rank = ranks_[who];
    const double seconds = cost.seconds;
    begun_[at(schedule_[i].step, who)] = true;
    timeline_.spans[at(i, who)] = {rank.id, schedule_[i].step, lane, now_s_, now_s_};
    rank.running[lane] = Running{i, seconds, seconds, now_s_};
    rank.running[lane]->leaves = cost.leaves;
    (transfers_[i] ? rank.comm_s : rank.compute_s) += seconds;
    foretell(who, lane);
    hold_up(who);
  }

  void foretell(std::size_t who, Lane lane) {
    Running& running = *ranks_[who].running[lane];
    running.version = ++foretold_;
    ends_.push({running.since_s + running.left_s / running.speed, who, lane, running.version});
  }

  /// A kernel goes on as fast as the transfers beside it let it.
  void hold_up(std::size_t who) {
    std::optional<Running>& kernel = ranks_[who].running[0];
    if (!kernel || transfers_[kernel->slot] || kernel->alone_s <= 0) return;
    double speed = 1;
    for (const std::optional<Running>& running : ranks_[who].running)
      if (running) speed *= running->leaves;
    if (speed == kernel->speed) return;
    kernel->left_s -= (now_s_ - kernel->since_s) * kernel->speed;
    kernel->since_s = now_s_;
    kernel->speed = speed;
    kernel->held = true;
    foretell(who, 0);
  }

  void finish(std::size_t who, Lane lane) {
    Rank& rank = ranks_[who];
    const Running running = *rank.running[lane];
    Span& span = timeline_.spans[at(running.slot, who)];
    span.end_s = now_s_;
    span.slowed_s = running.held ? now_s_ - span.begin_s - running.alone_s : 0;
    for (const ValueId v : step_of(running.slot).out) made_[at(v, who)] = true;
    rank.on_first_lane += lane == 0 ? 1 : 0;
    rank.running[lane].reset();
    ++rank.next[lane];
    ++ended_;
    hold_up(who);
  }

  const Program& p_;
  const Schedule& schedule_;
  const CostModel& cost_;
  AxisList uneven_;
  std::vector<Rank> ranks_;  ///< those that are simulated, by position over the uneven axes
  std::map<AxisList, Groups> groups_;    ///< by axes
  std::vector<const Groups*> together_;  ///< by slot: who does it together
  std::vector<bool> transfers_;          ///< by slot: it does not compute
  std::vector<std::size_t> before_;      ///< by slot: steps of lane 0 it waits for
  std::array<std::vector<std::size_t>, lanes> queue_;
  std::vector<bool> made_, begun_, waits_;  ///< by value, step, slot, and rank
  std::vector<std::size_t> waiting_;        ///< by slot and first of those who do it together
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  unsigned foretold_ = 0;
  double now_s_ = 0;
  std::size_t ended_ = 0;
  Timeline timeline_;
};

}  // namespace

Timeline time(const Program& p, const Schedule& schedule, const CostModel& cost) {
  return Simulation(p, schedule, cost).run();
}

}  // namespace ithaca
