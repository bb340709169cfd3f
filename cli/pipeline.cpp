#include "cli/pipeline.h"

#include "cli/options.h"
#include "cli/text.h"
#include "reports/format.h"
#include "reports/text_table.h"

#include <fmt/format.h>

namespace ithaca {

Pipeline parse_pipeline(const std::string& text) {
  constexpr std::int64_t most = 4096;
  const std::size_t comma = text.find(',');
  Pipeline n;
  n.stages = static_cast<int>(whole(text.substr(0, comma), "--pipeline", 1, most));
  if (comma != std::string::npos)
    n.chunks = static_cast<int>(whole(text.substr(comma + 1), "--pipeline", 1, most));
  return n;
}

Json pipeline_json(const Job& job, const PricedStrategy& p) {
  if (!p.pipeline) return nullptr;
  Json stages = Json::array();
  for (std::size_t s = 0; s < p.pipeline->run.stages.size(); ++s) {
    const StageRun& run = p.pipeline->run.stages[s];
    stages.push_back({{"busy_s", run.busy_s},
                      {"bubble_s", run.bubble_s},
                      {"in_flight", run.in_flight},
                      {"tensor_bytes", p.pipeline->peak_bytes[s]}});
  }
  return {{"stages", job.pipeline.stages},
          {"chunks", job.pipeline.chunks},
          {"step_s", p.pipeline->run.step_s},
          {"hop_bytes", p.pipeline->hop_bytes},
          {"hop_s", p.pipeline->hop_s},
          {"fullest_stage", p.pipeline->fullest},
          {"by_stage", stages}};
}

std::string pipeline_text(const Job& job, const PricedStrategy& p) {
  if (!p.pipeline) return "";
  using enum Align;
  TextTable table({{"stage", right},
                   {"works", right},
                   {"waits", right},
                   {"in flight", right},
                   {"tensors", right}});
  for (std::size_t s = 0; s < p.pipeline->run.stages.size(); ++s) {
    const StageRun& run = p.pipeline->run.stages[s];
    table.add({std::to_string(s), seconds_text(run.busy_s), seconds_text(run.bubble_s),
               std::to_string(run.in_flight), binary_bytes(p.pipeline->peak_bytes[s])});
  }
  return fmt::format("\n  pipeline: {} stages, chunks on each: {}; {} to the next stage, {}\n\n{}",
                     job.pipeline.stages, job.pipeline.chunks, decimal_bytes(p.pipeline->hop_bytes),
                     seconds_text(p.pipeline->hop_s), table.text(2));
}

}  // namespace ithaca
