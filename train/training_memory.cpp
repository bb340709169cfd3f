#include "train/training_memory.h"

#include "sim/memory.h"

#include <algorithm>

namespace ithaca {
namespace {

std::int64_t bytes_in(const Program& p, ValueId v) {
  return v == no_value ? 0 : local_bytes(p.type(v), p.mesh());
}

/// Between steps, of one rank.
std::int64_t kept_bytes(const TrainingPrograms& programs) {
  const Program& p = programs.micro.program;
  std::int64_t bytes = 0;
  for (const Parameter& parameter : programs.micro.parameters)
    bytes += bytes_in(p, parameter.stored) + bytes_in(p, parameter.grad);
  for (const UpdateSlot& slot : programs.update.slots)
    for (const ValueId v : {slot.master.in, slot.m.in, slot.v.in})
      bytes += bytes_in(programs.update.program, v);
  return bytes;
}

/// While a program runs, of one rank.
std::int64_t running_bytes(const Program& p) {
  const MemoryPlan plan = memory(p);
  std::int64_t outputs = 0, widest_input = 0;
  for (const ValueId v : p.outputs()) outputs += bytes_in(p, v);
  for (const ValueId v : p.inputs()) widest_input = std::max(widest_input, bytes_in(p, v));
  return plan.arena_bytes + plan.host_arena_bytes + std::max(outputs, widest_input);
}

}  // namespace

std::int64_t live_bytes(const TrainingPrograms& programs) {
  return std::max(memory(programs.micro.program).peak_bytes,
                  memory(programs.update.program).peak_bytes);
}

std::int64_t trainer_bytes(const TrainingPrograms& programs) {
  return programs.micro.program.mesh().ranks() *
         (kept_bytes(programs) +
          std::max(running_bytes(programs.micro.program), running_bytes(programs.update.program)));
}

}  // namespace ithaca
