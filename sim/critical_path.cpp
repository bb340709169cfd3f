#include "sim/critical_path.h"

#include <algorithm>
#include <map>

namespace ithaca {
namespace {

bool makes_operand(const Program& p, const Span& maker, const Span& user) {
  const auto &out = p.steps()[maker.step].out, &in = p.steps()[user.step].in;
  return maker.rank == user.rank &&
         std::ranges::any_of(out, [&](ValueId v) { return std::ranges::find(in, v) != in.end(); });
}

/// How near a step that ended when another began is to being its reason.
int nearness(const Program& p, const Span& before, const Span& after) {
  if (makes_operand(p, before, after)) return 3;
  if (before.rank != after.rank) return 0;
  return before.lane == after.lane ? 2 : 1;
}

}  // namespace

std::vector<std::size_t> critical_path(const Program& p, const Timeline& timeline) {
  std::multimap<double, std::size_t> by_end;
  for (std::size_t i = 0; i < timeline.spans.size(); ++i)
    if (timeline.spans[i].end_s > timeline.spans[i].begin_s)
      by_end.emplace(timeline.spans[i].end_s, i);
  std::vector<std::size_t> path;
  if (by_end.empty()) return path;
  for (std::size_t at = std::prev(by_end.end())->second;;) {
    path.push_back(at);
    const Span& here = timeline.spans[at];
    const auto [first, last] = by_end.equal_range(here.begin_s);
    const auto nearest = std::max_element(first, last, [&](const auto& a, const auto& b) {
      return nearness(p, timeline.spans[a.second], here) <
             nearness(p, timeline.spans[b.second], here);
    });
    if (nearest == last) break;
    at = nearest->second;
  }
  std::ranges::reverse(path);
  return path;
}

}  // namespace ithaca
