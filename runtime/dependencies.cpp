#include "runtime/dependencies.h"

#include "models/wire.h"
#include "sim/timeline.h"

#include <algorithm>

namespace ithaca {
namespace {

/// Bytes [begin, end) of the arena that a step reads or writes.
struct Access {
  std::int64_t begin, end;
  std::uint32_t step;
  bool writes;
};

std::vector<Access> accesses_of(const Program& p, const MemoryPlan& plan, std::uint32_t step) {
  const Step& s = p.steps()[step];
  std::vector<Access> list;
  const auto add = [&](std::int64_t offset, std::int64_t bytes, bool writes) {
    if (bytes > 0) list.push_back({offset, offset + bytes, step, writes});
  };
  const auto value = [&](ValueId v, bool writes) {  // the host's arena as if it followed
    add(plan.offset[v] + (p[v].on_host ? plan.arena_bytes : 0), local_bytes(p.type(v), p.mesh()),
        writes);
  };
  for (const ValueId v : s.in) value(v, false);
  for (const ValueId v : s.out) value(v, true);
  add(plan.scratch[step], scratch_of(p, s).bytes(), true);
  return list;
}

bool conflict(const Access& a, const Access& b) {
  return (a.writes || b.writes) && a.begin < b.end && b.begin < a.end;
}

}  // namespace

std::vector<std::vector<std::uint32_t>> dependencies(const Program& p, const MemoryPlan& plan) {
  std::vector<std::vector<std::uint32_t>> waits(p.steps().size());
  std::vector<Lane> lane;
  std::vector<Access> before;
  for (std::uint32_t i = 0; i < p.steps().size(); ++i) {
    lane.push_back(lane_of(p, p.steps()[i]));
    const std::vector<Access> mine = accesses_of(p, plan, i);
    std::vector<std::int64_t> last(lanes, -1);
    for (const Access& old : before)
      if (lane[old.step] != lane[i] &&
          std::ranges::any_of(mine, [&](const Access& a) { return conflict(a, old); }))
        last[lane[old.step]] = old.step;
    for (const std::int64_t step : last)
      if (step >= 0) waits[i].push_back(static_cast<std::uint32_t>(step));
    before.insert(before.end(), mine.begin(), mine.end());
  }
  return waits;
}

}  // namespace ithaca
