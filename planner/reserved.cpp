#include "planner/reserved.h"

namespace ithaca {
namespace {

std::int64_t steps_written_out(const Program& p) {
  std::int64_t steps = 0;
  for (const Step& s : p.steps()) steps += s.times * s.tiles;
  return steps;
}

}  // namespace

std::optional<Reserved> reserved(const Job& job, const Arrangement& at, const Recompute& recompute,
                                 std::int64_t most_steps) {
  if (steps_written_out(step_of(job, at, recompute).micro.program) > most_steps) return {};
  constexpr bool unrolled = true;
  const StepPrograms step = step_of(job, at, recompute, unrolled);
  return Reserved{reserved_memory(step.micro, step.update, {}),
                  reserved_memory(step.micro, step.update, {true, 0, 0})};
}

}  // namespace ithaca
