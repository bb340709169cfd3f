// models/wire.h -- which collective a step is, and what it sends.  The one place that names collectives.
#pragma once

#include "models/program.h"

#include <cstdint>

namespace ithaca {

enum class Wire : std::uint8_t {
  none,
  all_gather,
  reduce_scatter,
  all_reduce,
  all_to_all,
  send_recv
};
const char* name_of(Wire);

/// One message pattern over the group of `axes`.
///
/// A move cuts what a rank holds into chunks, one for each peer that needs it, and sends all but its own:
///     sent = (n-1) chunk                 all_gather, reduce_scatter, all_to_all
///     sent = 2 (n-1) ceil(elements / n)  all_reduce, as a reduce-scatter and an all-gather of padded chunks
///     sent = what it holds               send_recv
struct Traffic {
  Wire wire = Wire::none;
  AxisList axes;                    ///< major first; a group of one rank is Wire::none
  std::int64_t ranks = 1;           ///< n
  std::int64_t chunk_elements = 0;  ///< what one rank sends to one peer in one round
  std::int64_t elements = 0;        ///< of the full tensor of the group
  std::int64_t sent_bytes = 0;      ///< by one rank
  bool keeps_part = false;  ///< ranks also cut the value, unsent, along axes where they hold copies
};

/// Traffic of turning a value of type `from` into `to`.  Throws TypeError when no single collective does it.
Traffic traffic_of(const Type& from, const Type& to, const Mesh&);
/// Of a step; several operands travel in one message.
Traffic traffic_of(const Program&, const Step&);

/// Memory a step needs beside operands and results while it runs.  A move: chunks laid out for peers, chunks received;
/// a gather or scatter of one value whose chunks lie in the whole one after another needs none.  Attention's backward:
/// see AttentionKernel.  A product that adds: an empty gradient of its operands' dtype (see Kernels::fused_sums).
struct Scratch {
  std::int64_t send_bytes = 0, receive_bytes = 0, kernel_bytes = 0;
  std::int64_t bytes() const { return send_bytes + receive_bytes + kernel_bytes; }
};
Scratch scratch_of(const Program&, const Step&);
/// Whether the n chunks that `whole` is cut into by the type `part` follow one another in memory, unpadded.
bool chunks_are_contiguous(const Type& whole, const Type& part, const Mesh&);

}  // namespace ithaca
