#include "models/passes/fetch.h"

#include "models/passes/rewriter.h"

#include <algorithm>
#include <map>

namespace ithaca {
namespace {

/// The first step that reads v in the forward (or after it), -1: none.
std::int64_t first_use(const Program& p, ValueId v, bool in_forward) {
  for (std::size_t i = 0; i < p.steps().size(); ++i) {
    const Step& step = p.steps()[i];
    if ((step.phase == Phase::forward) == in_forward && std::ranges::count(step.in, v) > 0)
      return static_cast<std::int64_t>(i);
  }
  return -1;
}

}  // namespace

Program fetch(Program program, const std::vector<ValueId>& inputs) {
  std::multimap<std::int64_t, ValueId> arrivals;
  for (const ValueId v : inputs)
    for (const bool in_forward : {true, false})
      if (const std::int64_t at = first_use(program, v, in_forward); at >= 0)
        arrivals.emplace(at, v);
  std::map<ValueId, ValueId> here;
  Rewriter rewriter(std::move(program));
  for (const ValueId v : inputs) rewriter.place_on_host(v);
  for (std::int64_t i = 0; i < rewriter.steps(); ++i) {
    for (auto [at, end] = arrivals.equal_range(i); at != end; ++at)
      here[at->second] = rewriter.copy(at->second, false);
    rewriter.keep(here);
  }
  return std::move(rewriter).program();
}

}  // namespace ithaca
