#include "cli/trace.h"

#include "cli/text.h"
#include "reports/json.h"
#include "sim/critical_path.h"
#include "sim/memory.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>

namespace ithaca {
namespace {

Json name_json(const char* what, int rank, Lane lane, const std::string& name) {
  return {{"name", what}, {"ph", "M"}, {"pid", rank}, {"tid", lane}, {"args", {{"name", name}}}};
}

constexpr double us = 1e6;

/// What the rank holds while a step runs, stacked by role.
Json memory_json(const Span& span, const BytesByRole& held) {
  Json args = Json::object();
  for (std::size_t r = 0; r < memory_roles; ++r)
    args[name_of(static_cast<MemoryRole>(r))] = held[r];
  return {{"name", "memory, bytes"},
          {"ph", "C"},
          {"pid", span.rank},
          {"ts", span.begin_s * us},
          {"args", args}};
}

Json span_json(const Program& program, const Span& span, bool critical) {
  const Step& step = program.steps()[span.step];
  return {
      {"name", step_text(program, step)},
      {"cat", name_of(step.phase)},
      {"ph", "X"},
      {"pid", span.rank},
      {"tid", span.lane},
      {"ts", span.begin_s * us},
      {"dur", (span.end_s - span.begin_s) * us},
      {"args", {{"step", span.step}, {"critical", critical}, {"slowed_us", span.slowed_s * us}}}};
}

}  // namespace

std::string chrome_trace(const Program& program, const Timeline& timeline) {
  const std::vector<std::size_t> path = critical_path(program, timeline);
  const MemoryPlan held = memory(program);
  Json events = Json::array();
  std::set<std::pair<int, Lane>> seen;
  for (std::size_t i = 0; i < timeline.spans.size(); ++i) {
    const Span& span = timeline.spans[i];
    if (seen.lower_bound({span.rank, Lane{0}}) == seen.lower_bound({span.rank + 1, Lane{0}}))
      events.push_back(name_json("process_name", span.rank, 0, fmt::format("rank {}", span.rank)));
    if (seen.insert({span.rank, span.lane}).second)
      events.push_back(
          name_json("thread_name", span.rank, span.lane, lane_text(program, span.lane)));
    events.push_back(span_json(program, span, std::ranges::find(path, i) != path.end()));
    if (span.lane == 0) events.push_back(memory_json(span, held.by_step[span.step]));
  }
  const Json trace{{"displayTimeUnit", "ms"}, {"traceEvents", events}};
  return trace.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace ithaca
