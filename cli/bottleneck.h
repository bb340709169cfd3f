// cli/bottleneck.h -- where the time of a step goes, for people and for scripts.
#pragma once

#include "planner/price.h"
#include "reports/json.h"
#include "sim/bottleneck.h"

#include <string>
#include <vector>

namespace ithaca {

/// Of the whole step; of a pipeline on its slowest stage.
std::vector<Cause> causes_of(const Job&, const PricedStrategy&);

/// A line for each cause with its seconds, its share and a bar; what is exposed adds up to the step's exposed communication.
std::string causes_text(const std::vector<Cause>&);
/// [{"what", "s", "exposed"}], longest first.
Json causes_json(const std::vector<Cause>&);

}  // namespace ithaca
