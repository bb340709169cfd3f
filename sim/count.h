// sim/count.h -- what a program sends and computes, to the byte and to the operation.
#pragma once

#include "models/layer.h"
#include "models/wire.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

/// All calls of one collective on one tensor in one phase.
struct Event {
  Phase phase;
  Wire wire;
  AxisList axes;
  std::string tensor;  ///< of the source value; "k+v" when one message carries several
  Role role;  ///< what the bytes are: weights and their gradients, or activations and theirs
  int calls = 0;
  std::int64_t elements = 0;    ///< of the full tensor, once
  std::int64_t sent_bytes = 0;  ///< by one rank, all calls
};

/// The name an event gives to what a step carries: "q", or "k+v" for one message of several.
std::string tensor_of(const Program&, const Step&);

struct SentBytes {
  std::int64_t activation = 0, weight = 0;
  std::int64_t total() const { return activation + weight; }
};

struct Count {
  std::vector<Event> events;         ///< in order of first call
  std::int64_t matmul_flops = 0;     ///< multiply and add counted as two
  std::int64_t attention_flops = 0;  ///< of unmasked pairs only: 4 e each forward, 10 e backward
  std::int64_t moved_bytes = 0;      ///< operands read and results written in device memory
  std::int64_t to_host_bytes = 0, from_host_bytes = 0;  ///< copied between device and host
  SentBytes sent_bytes() const;
  /// The same n times over, and two one after the other: elements of an event stay those of one call.
  friend Count operator*(std::int64_t n, Count);
  friend Count operator+(Count, const Count&);
  std::int64_t flops() const { return matmul_flops + attention_flops; }
};

/// What `rank` sends and computes.  Sent bytes are the same on every rank; operations differ where a mask
/// leaves ranks unequal work.
Count count(const Program&, int rank = 0);

/// Operations of one step on one rank.
struct Work {
  std::int64_t matmul_flops = 0, attention_flops = 0, moved_bytes = 0;
  std::int64_t to_host_bytes = 0, from_host_bytes = 0;
};
Work work_of(const Program&, const Step&, int rank);

/// Query-key pairs one step of attention computes on one rank, per sample and head; 0 for other steps.
std::int64_t attention_pairs(const Program&, const Step&, int rank);

/// Attention of all steps by the ranks of a program.
struct AttentionLoad {
  std::int64_t busiest_flops = 0;
  double mean_flops = 0;
  double imbalance() const {  ///< busiest / mean, 1 without attention
    return mean_flops > 0 ? static_cast<double>(busiest_flops) / mean_flops : 1;
  }
};
AttentionLoad attention_load(const Program&);

/// Axes along which ranks have unequal work under the mask; along all others one rank speaks for all.
AxisList uneven_axes(const Program&);
inline bool symmetric(const Program& p) {
  return uneven_axes(p).empty();
}

}  // namespace ithaca
