// sim/bottleneck.h -- where the time of a step goes: kernels by kind, what they lose beside transfers, and the
// collectives they wait for.
//
// On the lane that computes, of the rank whose kernels take longest, every moment has one cause.  A moment without a kernel goes
// to the transfer that the next kernel waits for, before that begins to the one before it; where none runs, to ranks that
// are late.
#pragma once

#include "sim/cost.h"
#include "sim/step.h"
#include "sim/timeline.h"

#include <string>
#include <vector>

namespace ithaca {

struct Cause {
  std::string name;  ///< "attention", "all_gather of weights", "slowed kernels", "late ranks"
  double seconds = 0;
  bool waits = false;  ///< exposed: waiting for transfers or ranks, kernels slowed beside transfers
};

/// Longest first; add up to the end of the timeline, each step as often as it stands for.
std::vector<Cause> causes(const Program&, const Timeline&);

/// Of a whole step: all its micro-batches and the update; what is hidden of the update comes as a cause below zero.
std::vector<Cause> causes(const MicroBatch&, const Update&, const StepPlan&, const CostModel&);

}  // namespace ithaca
