// sim/schedule.h -- when and on which lane steps are issued: what may change time, never values or bytes.
#pragma once

#include "models/profile.h"
#include "sim/timeline.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace ithaca {

struct Slot {
  std::uint32_t step;
  Lane lane;
  /// A step issued before that must have begun before this one may, beside its operands: what bounds prefetch.  -1: none.
  std::int32_t after_begin = -1;
  bool after_compute =
      false;  ///< also waits for what was issued on lane 0 before it, as a stream that forks does
};

/// Steps in issue order.  A step waits for its operands, its lane and what its slot says.
using Schedule = std::vector<Slot>;

/// One lane: every collective blocks, as most reference implementations do.
Schedule blocking(const Program&);

/// One lane for each mesh axis beside the computing one.  A ring hop runs behind the attention issued after it,
/// gradients are scattered behind the next product; a weight is gathered, and
/// a checkpoint fetched from the host, while its predecessor is used, one ahead.  What the streams leave out blocks;
/// copies to and from the host never do.
Schedule overlapped(const Program&, const Streams& = {});

}  // namespace ithaca
