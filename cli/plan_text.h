// cli/plan_text.h -- a plan for people and for scripts.
#pragma once

#include "cli/json.h"
#include "planner/plan.h"

#include <string>

namespace ithaca {

/// "best" is null when nothing fits.
Json plan_json(const Job&, const Plan&);
/// What was asked, the best and why, the ranking (the first `most`), what is infeasible.  Needs a
/// ranking.
std::string plan_text(const Job&, const Plan&, std::size_t most);
/// Why no choice fits, in one line: the least memory any needs, or why all are impossible.
std::string why_nothing_fits(const Job&, const Plan&);

}  // namespace ithaca
