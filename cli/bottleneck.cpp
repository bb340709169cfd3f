#include "cli/bottleneck.h"

#include "cli/text.h"
#include "planner/pipeline.h"
#include "reports/text_table.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {

std::vector<Cause> causes_of(const Job& job, const PricedStrategy& p) {
  if (job.pipeline.on()) return pipeline_causes(job, p.arrangement, p.recompute);
  const StepPrograms step = step_of(job, p.arrangement, p.recompute);
  return causes(step.micro, step.update, {job.micro_batches, job.overlap, job.profile.streams},
                ClusterCost(job.cluster));
}

std::string causes_text(const std::vector<Cause>& causes) {
  using enum Align;
  double all_s = 0;
  for (const Cause& cause : causes) all_s += cause.seconds;
  TextTable table({{"where the step's time goes", left}, {"", right}, {"", right}, {"", left}});
  for (const Cause& cause : causes) {
    const double share = all_s > 0 ? cause.seconds / all_s : 0;
    std::string bar;
    for (int i = 0; i < static_cast<int>(40 * share + 0.5); ++i) bar += "█";
    table.add({cause.waits && cause.seconds > 0 ? "exposed: " + cause.name : cause.name,
               seconds_text(cause.seconds), fmt::format("{:.1f} %", 100 * share), bar});
  }
  return table.empty() ? "" : '\n' + table.text(2);
}

Json causes_json(const std::vector<Cause>& causes) {
  Json all = Json::array();
  for (const Cause& cause : causes)
    all.push_back({{"what", cause.name}, {"s", cause.seconds}, {"exposed", cause.waits}});
  return all;
}

}  // namespace ithaca
