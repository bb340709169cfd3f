// cli/pipeline.h -- the flag --pipeline, and what is printed of a pipelined step.
#pragma once

#include "cli/json.h"
#include "planner/price.h"

#include <string>

namespace ithaca {

/// "P" or "P,V": stages, and chunks of the model on each.  Throws InputError.
Pipeline parse_pipeline(const std::string&);

/// Seconds, bubble, micro-batches in flight and peak by stage.
Json pipeline_json(const Job&, const PricedStrategy&);
std::string pipeline_text(const Job&, const PricedStrategy&);

}  // namespace ithaca
