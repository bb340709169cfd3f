// train/training_memory.h -- what a Trainer will hold, before it holds anything.
#pragma once

#include "train/trainer.h"

#include <cstdint>

namespace ithaca {

/// Most bytes of live tensors a rank holds on its device in one of the two programs.
std::int64_t live_bytes(const TrainingPrograms&);

/// Host memory of a Trainer on all thread ranks at its peak: what ranks keep between steps, and the larger of the two
/// programs with its arenas, outputs and the input that is being copied in.
std::int64_t trainer_bytes(const TrainingPrograms&);

}  // namespace ithaca
