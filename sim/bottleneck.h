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

/// So often.
struct CausesOf {
  double times = 1;
  std::vector<Cause> causes;
};
/// Those of one name together, longest first.
std::vector<Cause> together(const std::vector<CausesOf>&);

/// Of one micro-batch, and of an update; its kernels are one cause, "update".
std::vector<Cause> causes(const MicroBatch&, const StepPlan&, const CostModel&);
std::vector<Cause> causes(const Update&, const CostModel&);
/// What a step has less because sums run behind its last backward, a cause below zero.
Cause hidden_sums(double seconds);

/// Of a whole step: all its micro-batches and the update.
std::vector<Cause> causes(const MicroBatch&, const Update&, const StepPlan&, const CostModel&);

}  // namespace ithaca
