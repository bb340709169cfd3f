#include "models/passes/offload.h"

#include "models/passes/rewriter.h"

#include <algorithm>
#include <map>

namespace ithaca {
namespace {

/// Where a value is last read in the forward and first read after it; -1: nowhere.
struct Uses {
  std::int64_t last_forward = -1, first_later = -1;
};

Uses uses_of(const Program& p, ValueId v) {
  Uses uses;
  for (std::size_t i = 0; i < p.steps().size(); ++i) {
    const Step& step = p.steps()[i];
    if (std::ranges::count(step.in, v) == 0) continue;
    const auto at = static_cast<std::int64_t>(i);
    if (step.phase == Phase::forward)
      uses.last_forward = at;
    else if (uses.first_later < 0)
      uses.first_later = at;
  }
  return uses;
}

}  // namespace

Program offload(Program program, const std::vector<ValueId>& values) {
  std::multimap<std::int64_t, ValueId> leaves, returns;
  for (const ValueId v : values) {
    const Uses uses = uses_of(program, v);
    if (uses.last_forward < 0 || uses.first_later < 0) continue;
    leaves.emplace(uses.last_forward, v);
    returns.emplace(uses.first_later, v);
  }
  std::map<ValueId, ValueId> away, back;
  Rewriter rewriter(std::move(program));
  for (std::int64_t i = 0; i < rewriter.steps(); ++i) {
    for (auto [at, end] = returns.equal_range(i); at != end; ++at)
      back[at->second] = rewriter.copy(away.at(at->second), false);
    rewriter.keep(back);
    for (auto [at, end] = leaves.equal_range(i); at != end; ++at)
      away[at->second] = rewriter.copy(at->second, true);
  }
  return std::move(rewriter).program();
}

}  // namespace ithaca
