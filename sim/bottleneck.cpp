#include "sim/bottleneck.h"

#include "sim/schedule.h"
#include "sim/time.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <utility>

namespace ithaca {
namespace {

const char* plural_of(Role role) {
  switch (role) {
    case Role::activation:
      return "activations";
    case Role::weight:
      return "weights";
    case Role::gradient:
      return "cotangents";
    case Role::weight_gradient:
      return "gradients";
  }
  return "";
}

std::string name_of_work(const Program& p, const Step& step) {
  if (const auto* const copy = std::get_if<Copy>(&step.op))
    return copy->to_host ? "copies to the host" : "copies from the host";
  if (const Wire wire = traffic_of(p, step).wire; wire != Wire::none)
    return fmt::format("{} of {}", name_of(wire), plural_of(p[step.out[0]].role));
  if (std::holds_alternative<Einsum>(step.op)) return "matrix products";
  if (std::holds_alternative<Attend>(step.op) || std::holds_alternative<AttendGrad>(step.op))
    return "attention";
  return "other kernels";
}

bool transfers(const Program& p, const Step& step) {
  return std::holds_alternative<Copy>(step.op) || traffic_of(p, step).wire != Wire::none;
}

class Ledger {
 public:
  void add(const std::string& name, double seconds, bool waits) {
    if (seconds == 0) return;
    const auto it = std::ranges::find(all_, name, &Cause::name);
    if (it == all_.end())
      all_.push_back({name, seconds, waits});
    else
      it->seconds += seconds;
  }
  std::vector<Cause> sorted() && {
    std::ranges::stable_sort(all_, std::greater<>(), &Cause::seconds);
    return std::move(all_);
  }

 private:
  std::vector<Cause> all_;
};

/// The spans of one rank, by their begin.
std::vector<Span> spans_of(const Timeline& timeline, int rank) {
  std::vector<Span> spans;
  std::ranges::copy_if(timeline.spans, std::back_inserter(spans),
                       [&](const Span& span) { return span.rank == rank; });
  std::ranges::stable_sort(spans, {}, &Span::begin_s);
  return spans;
}

/// The rank whose kernels take longest.
int busiest_rank(const Program& p, const Timeline& timeline) {
  std::map<int, double> busy_s;
  for (const Span& span : timeline.spans)
    if (!transfers(p, p.steps()[span.step]))
      busy_s[span.rank] += span.end_s - span.begin_s - span.slowed_s;
  const auto it =
      std::ranges::max_element(busy_s, {}, [](const auto& rank) { return rank.second; });
  return it == busy_s.end() ? 0 : it->first;
}

class Lane0 {
 public:
  Lane0(const Program& p, const Timeline& timeline, Ledger& into)
      : p_(p),
        into_(into),
        spans_(spans_of(timeline, busiest_rank(p, timeline))),
        end_s_(timeline.end_s) {}

  void read() {
    for (const Span& span : spans_) {
      if (span.lane != 0) continue;
      wait(span.begin_s, times(span));
      const Step& step = p_.steps()[span.step];
      const bool transfer = transfers(p_, step);
      const double seconds = span.end_s - span.begin_s - span.slowed_s;
      into_.add(name_of_work(p_, step), times(span) * seconds, transfer);
      into_.add("slowed kernels", times(span) * span.slowed_s, true);
      free_s_ = span.end_s;
    }
    for (const Span& span : spans_)
      if (span.end_s > free_s_) wait(span.end_s, times(span));
    wait(end_s_, 1);
  }

 private:
  double times(const Span& span) const { return static_cast<double>(p_.steps()[span.step].times); }

  /// From when the lane was free until then, backwards from transfer to transfer.
  void wait(double until_s, double times) {
    const double from_s = std::exchange(free_s_, std::max(free_s_, until_s));
    while (until_s > from_s) {
      const Span* const last = last_transfer(from_s, until_s);
      const double late_s = until_s - (last == nullptr ? from_s : last->end_s);
      into_.add("late ranks", times * late_s, true);
      if (last == nullptr) return;
      until_s = std::max(from_s, last->begin_s);
      into_.add(name_of_work(p_, p_.steps()[last->step]), times * (last->end_s - until_s), true);
    }
  }

  /// That which ended last in (from, until].
  const Span* last_transfer(double from_s, double until_s) const {
    const Span* last = nullptr;
    for (const Span& span : spans_)
      if (span.lane != 0 && span.end_s > span.begin_s && span.end_s > from_s &&
          span.end_s <= until_s && (last == nullptr || span.end_s > last->end_s))
        last = &span;
    return last;
  }

  const Program& p_;
  Ledger& into_;
  std::vector<Span> spans_;
  double end_s_, free_s_ = 0;
};

}  // namespace

std::vector<Cause> causes(const Program& p, const Timeline& timeline) {
  Ledger ledger;
  Lane0(p, timeline, ledger).read();
  return std::move(ledger).sorted();
}

std::vector<Cause> together(const std::vector<CausesOf>& parts) {
  Ledger ledger;
  for (const CausesOf& part : parts)
    for (const Cause& cause : part.causes)
      ledger.add(cause.name, part.times * cause.seconds, cause.waits);
  return std::move(ledger).sorted();
}

std::vector<Cause> causes(const MicroBatch& micro, const StepPlan& plan, const CostModel& cost) {
  const Program& p = micro.program;
  return causes(p, time(p, plan.overlap ? overlapped(p, plan.streams) : blocking(p), cost));
}

std::vector<Cause> causes(const Update& update, const CostModel& cost) {
  const Program& u = update.program;
  if (u.steps().empty()) return {};
  std::vector<Cause> all = causes(u, time(u, blocking(u), cost));
  for (Cause& cause : all)
    if (!cause.waits) cause.name = "update";
  return all;
}

Cause hidden_sums(double seconds) {
  return {"hidden behind the last backward", -seconds, true};
}

std::vector<Cause> causes(const MicroBatch& micro, const Update& update, const StepPlan& plan,
                          const CostModel& cost) {
  const double hidden_s = step_time(micro, update, plan, cost).hidden_s;
  return together({{static_cast<double>(plan.micro_batches), causes(micro, plan, cost)},
                   {1, causes(update, cost)},
                   {1, {hidden_sums(hidden_s)}}});
}

}  // namespace ithaca
