#include "sim/schedule.h"
#include "sim/step.h"
#include "sim/time.h"

#include <algorithm>

namespace ithaca {
namespace {

/// When the forward and the backward of each written layer were over on all ranks.
struct Ends {
  std::vector<double> forward_s, backward_s;
  std::vector<std::int64_t> times;
};

Ends ends_of(const Program& p, const Timeline& timeline) {
  Ends ends;
  for (const Span& span : timeline.spans) {
    const Step& step = p.steps()[span.step];
    if (step.layer < 0) continue;
    const auto layer = static_cast<std::size_t>(step.layer);
    const std::size_t layers = std::max(ends.times.size(), layer + 1);
    ends.forward_s.resize(layers);
    ends.backward_s.resize(layers);
    ends.times.resize(layers);
    ends.times[layer] = step.times;
    double& end = (step.phase == Phase::forward ? ends.forward_s : ends.backward_s)[layer];
    end = std::max(end, span.end_s);
  }
  return ends;
}

/// Time of the layers left out: as much as the second copy's forward and the first's backward took.
double left_out_s(const Ends& ends) {
  double seconds = 0;
  for (std::size_t c = 0; c + 1 < ends.times.size(); ++c) {
    if (ends.times[c] == 1) continue;
    const double forward = ends.forward_s[c + 1] - ends.forward_s[c];
    const double backward = ends.backward_s[c] - ends.backward_s[c + 1];
    seconds += static_cast<double>(ends.times[c] - 1) * (forward + backward);
  }
  return seconds;
}

/// Busy time of the compute lane of the busiest rank, every step as often as it stands for.
double compute_s(const Program& p, const Timeline& timeline) {
  std::vector<double> busy(static_cast<std::size_t>(p.mesh().ranks()));
  for (const Span& span : timeline.spans) {
    const Step& step = p.steps()[span.step];
    if (lane_of(p, step) == 0)
      busy[static_cast<std::size_t>(span.rank)] +=
          static_cast<double>(step.times) * (span.end_s - span.begin_s);
  }
  return std::ranges::max(busy);
}

}  // namespace

StepTime step_time(const MicroBatch& micro, const Update& update, const StepPlan& plan,
                   const CostModel& cost) {
  const Program &p = micro.program, &u = update.program;
  const Timeline one = time(p, plan.overlap ? overlapped(p) : blocking(p), cost);
  StepTime t;
  t.micro_batch_s = one.end_s + left_out_s(ends_of(p, one));
  const Timeline last = u.steps().empty() ? Timeline{} : time(u, blocking(u), cost);
  for (const Span& span : last.spans)
    if (span.rank == 0)
      t.update_s += static_cast<double>(u.steps()[span.step].times) * (span.end_s - span.begin_s);
  const auto n = static_cast<double>(plan.micro_batches);
  t.step_s = n * t.micro_batch_s + t.update_s;
  t.compute_s = n * compute_s(p, one) + (last.spans.empty() ? 0 : compute_s(u, last));
  t.exposed_comm_s = t.step_s - t.compute_s;
  return t;
}

}  // namespace ithaca
