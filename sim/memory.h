// sim/memory.h -- what one rank holds at every step, and where: exact liveness, by role.
//
// Steps are issued in order.  A value is born at the step that makes it and freed after its last use; outputs and
// inputs that are kept from outside stay.  A step may take over the buffer of an operand that dies in it
// (reused_operand).  A move also holds its scratch while it runs.  run() allocates by the very same plan, so both
// agree to the byte.  Not counted: tiles inside kernels, and what lies outside the program (see Overheads).
#pragma once

#include "models/layer.h"

#include <array>
#include <cstdint>
#include <vector>

namespace ithaca {

/// What a value counts as.  saved: crosses from the forward to the backward.  communication: gathered or exchanged
/// for a step or two, and the scratch of moves.  optimizer: states no step of a layer touches, see sim/step.h.
enum class MemoryRole : std::uint8_t {
  weights,
  gradients,
  optimizer,
  saved,
  transient,
  communication
};
constexpr std::size_t memory_roles = 6;
const char* name_of(MemoryRole);
using BytesByRole = std::array<std::int64_t, memory_roles>;

/// Lifetime of one value: live from step `born` (-1: an input, before the first) to the end of step `dies`
/// (steps().size(): never freed, as outputs and stored weights).
struct Lifetime {
  std::int64_t born = -1, dies = -1;
  ValueId takes_over = no_value;  ///< the dying operand whose buffer this value uses
};
std::vector<Lifetime> lifetimes(const Program&);

/// Operand whose buffer result number `result` may take over when it dies here, or -1.  Kernels of such steps read
/// an element before they write it.
int reused_operand(const Program&, const Step&, std::size_t result = 0);

struct MemoryPlan {
  std::vector<Lifetime> lifetime;     ///< by value
  std::vector<MemoryRole> role;       ///< by value
  std::vector<std::int64_t> offset;   ///< by value, into the arena it lies in; aligned to 64 bytes
  std::vector<std::int64_t> scratch;  ///< by step: offset of its scratch
  std::int64_t arena_bytes = 0;       ///< end of the arena, alignment and gaps included
  std::int64_t peak_bytes = 0;        ///< most bytes of live tensors and scratch at once
  std::size_t peak_step = 0;
  std::int64_t host_arena_bytes = 0, host_peak_bytes = 0;  ///< the same of values on the host
  std::vector<std::int64_t> live;                          ///< by step, bytes live while it runs
  std::vector<BytesByRole> by_step;                        ///< the same by role; adds up to live
  std::vector<BytesByRole> after;                   ///< by step, by role: held when it is done
  std::vector<std::int64_t> host_live, host_after;  ///< by step, on the host
};

/// Of one layer: forward and backward of one micro-batch.
MemoryPlan memory(const Program&);

}  // namespace ithaca
