// planner/pipeline.h -- what a pipelined step takes: programs of its pieces, composed by the schedule of sim/pipeline.h.
//
// A stage holds weights, gradients and states of all its chunks at all times, what every micro-batch in flight saved,
// and what the chunk at work needs beside.  A tied table lies on the first and the last stage, which sum its gradients
// (Megatron-LM's embedding group).  Throws InputError with key "--pipeline" when stages and chunks do not divide the
// layers, when layers differ, and as turns() does.
#pragma once

#include "planner/price.h"
#include "sim/bottleneck.h"

namespace ithaca {

Need pipeline_need(const Job&, const Arrangement&, const Recompute&);

/// Fills in all that a price says of the step; `arrangement` and `recompute` are there.
void price_pipeline(PricedStrategy&, const Job&);

/// Where the time of a step goes: on the stage with the slowest micro-batch, which waits for hops and in the bubble for
/// other stages, and in the update that is over last.  Adds up to the step.
std::vector<Cause> pipeline_causes(const Job&, const Arrangement&, const Recompute&);

}  // namespace ithaca
