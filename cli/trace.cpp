#include "cli/trace.h"

#include "cli/text.h"
#include "reports/json.h"

#include <fmt/format.h>
#include <set>
#include <utility>

namespace ithaca {
namespace {

Json name_json(const char* what, int rank, Lane lane, const std::string& name) {
  return {{"name", what}, {"ph", "M"}, {"pid", rank}, {"tid", lane}, {"args", {{"name", name}}}};
}

}  // namespace

std::string chrome_trace(const Program& program, const Timeline& timeline) {
  constexpr double us = 1e6;
  Json events = Json::array();
  std::set<std::pair<int, Lane>> seen;
  for (const Span& span : timeline.spans) {
    if (seen.lower_bound({span.rank, Lane{0}}) == seen.lower_bound({span.rank + 1, Lane{0}}))
      events.push_back(name_json("process_name", span.rank, 0, fmt::format("rank {}", span.rank)));
    if (seen.insert({span.rank, span.lane}).second)
      events.push_back(
          name_json("thread_name", span.rank, span.lane, lane_text(program, span.lane)));
    const Step& step = program.steps()[span.step];
    events.push_back({{"name", step_text(program, step)},
                      {"cat", name_of(step.phase)},
                      {"ph", "X"},
                      {"pid", span.rank},
                      {"tid", span.lane},
                      {"ts", span.begin_s * us},
                      {"dur", (span.end_s - span.begin_s) * us},
                      {"args", {{"step", span.step}}}});
  }
  const Json trace{{"displayTimeUnit", "ms"}, {"traceEvents", events}};
  return trace.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace ithaca
