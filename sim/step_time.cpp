#include "sim/schedule.h"
#include "sim/step.h"
#include "sim/time.h"

#include <algorithm>

namespace ithaca {
namespace {

/// When a written layer's forward or backward was over on all ranks, and its last step.
struct End {
  double at_s = 0;
  std::uint32_t step = 0;
};
struct Copy {
  End forward, backward;
  std::int64_t times = 0;
};

std::vector<Copy> copies_of(const Program& p, const Timeline& timeline) {
  std::vector<Copy> copies;
  for (const Span& span : timeline.spans) {
    const Step& step = p.steps()[span.step];
    if (step.layer < 0) continue;
    const auto layer = static_cast<std::size_t>(step.layer);
    copies.resize(std::max(copies.size(), layer + 1));
    copies[layer].times = step.times;
    End& end = step.phase == Phase::forward ? copies[layer].forward : copies[layer].backward;
    end = {std::max(end.at_s, span.end_s), std::max(end.step, span.step)};
  }
  return copies;
}

/// Layers left out take as long as the steady one of three copies did, whose forward comes after the first's and whose
/// backward after the last's; by so much everything issued after `step` comes later.
struct Delay {
  std::uint32_t step;
  double seconds;
};

std::vector<Delay> delays_of(const std::vector<Copy>& copies) {
  std::vector<Delay> delays;
  for (std::size_t c = 1; c + 1 < copies.size(); ++c) {
    const Copy &before = copies[c - 1], &steady = copies[c], &last = copies[c + 1];
    const auto n = static_cast<double>(steady.times - 1);
    if (n == 0) continue;
    delays.push_back({last.forward.step, n * (steady.forward.at_s - before.forward.at_s)});
    delays.push_back({steady.backward.step, n * (steady.backward.at_s - last.backward.at_s)});
  }
  return delays;
}

/// A step's end with the layers left out put back.
double delayed(const std::vector<Delay>& delays, std::uint32_t step, double end_s) {
  for (const Delay& delay : delays)
    if (step >= delay.step) end_s += delay.seconds;
  return end_s;
}

/// The first step of the backward, or the number of steps.
std::uint32_t backward_begin(const Program& p) {
  const auto it = std::ranges::find_if(p.steps(), [](const Step& s) {
    return s.phase == Phase::backward || s.phase == Phase::recompute;
  });
  return static_cast<std::uint32_t>(it - p.steps().begin());
}

/// When the last rank is done with the steps before `limit`, the layers left out put back.
double end_s(const Program& p, const Timeline& timeline, std::size_t limit) {
  const std::vector<Delay> delays = delays_of(copies_of(p, timeline));
  double last = 0;
  for (const Span& span : timeline.spans) {
    if (span.step >= limit) continue;
    last = std::max(last, delayed(delays, span.step, span.end_s));
  }
  return last;
}

/// Of kernels as fast as they run alone, on the busiest rank, every step as often as it stands for.
double compute_s(const Program& p, const Timeline& timeline) {
  std::vector<double> busy(static_cast<std::size_t>(p.mesh().ranks()));
  for (const Span& span : timeline.spans) {
    const Step& step = p.steps()[span.step];
    if (lane_of(p, step) == 0)
      busy[static_cast<std::size_t>(span.rank)] +=
          static_cast<double>(step.times) * (span.end_s - span.begin_s - span.slowed_s);
  }
  return std::ranges::max(busy);
}

/// A sum of gradients, and when they are there.
struct Sum {
  double ready_s, seconds, leaves;
};

/// When each of the equal layers a copy stands for has its gradients, the last one first.
std::vector<double> ready_s(const std::vector<Copy>& copies, std::size_t layer) {
  const Copy& copy = copies[layer];
  const double last_s = delayed(delays_of(copies), copy.backward.step, copy.backward.at_s);
  const double each_s = copy.times == 1 ? 0 : copy.backward.at_s - copies[layer + 1].backward.at_s;
  std::vector<double> ready;
  for (std::int64_t j = 0; j < copy.times; ++j)
    ready.push_back(last_s - static_cast<double>(j) * each_s);
  return ready;
}

/// Of the update, sums that run while the last backward does, less what its kernels lose by it.  The ends' come last.
double behind_backward_s(const Update& update, const Timeline& timeline,
                         const std::vector<Copy>& copies, double end_s, const CostModel& cost) {
  const Program& u = update.program;
  std::vector<Sum> sums;
  for (const Span& span : timeline.spans) {
    const Step& step = u.steps()[span.step];
    if (span.rank != 0 || step.layer < 0 || u[step.out[0]].role != Role::weight_gradient ||
        traffic_of(u, step).wire == Wire::none)
      continue;
    for (const double ready : ready_s(copies, static_cast<std::size_t>(step.layer)))
      sums.push_back({ready, span.end_s - span.begin_s, cost.leaves(u, step, 0)});
  }
  std::ranges::sort(sums, {}, &Sum::ready_s);
  double free_s = 0, hidden_s = 0;
  for (const Sum& sum : sums) {
    const double begin_s = std::max(free_s, sum.ready_s);
    free_s = begin_s + sum.seconds;
    hidden_s += sum.leaves * std::max(0.0, std::min(free_s, end_s) - begin_s);
  }
  return hidden_s;
}

}  // namespace

StepTime step_time(const MicroBatch& micro, const Update& update, const StepPlan& plan,
                   const CostModel& cost) {
  const Program &p = micro.program, &u = update.program;
  const Timeline one = time(p, plan.overlap ? overlapped(p, plan.streams) : blocking(p), cost);
  StepTime t;
  t.micro_batch_s = end_s(p, one, p.steps().size());
  t.forward_s = end_s(p, one, backward_begin(p));
  t.backward_s = t.micro_batch_s - t.forward_s;
  const Timeline last = u.steps().empty() ? Timeline{} : time(u, blocking(u), cost);
  for (const Span& span : last.spans)
    if (span.rank == 0)
      t.update_s += static_cast<double>(u.steps()[span.step].times) * (span.end_s - span.begin_s);
  const auto n = static_cast<double>(plan.micro_batches);
  if (plan.overlap && plan.streams.last_sums)
    t.hidden_s = behind_backward_s(update, last, copies_of(p, one), t.micro_batch_s, cost);
  t.step_s = n * t.micro_batch_s + t.update_s - t.hidden_s;
  t.compute_s = n * compute_s(p, one) + (last.spans.empty() ? 0 : compute_s(u, last));
  t.exposed_comm_s = t.step_s - t.compute_s;
  return t;
}

}  // namespace ithaca
