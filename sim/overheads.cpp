#include "sim/overheads.h"

#include <algorithm>
#include <set>

namespace ithaca {
namespace {

constexpr std::int64_t first_communicator_bytes = 1'600'000'000;
constexpr std::int64_t next_communicator_bytes = (6'000'000'000 - first_communicator_bytes) / 2;
constexpr std::int64_t all_to_all_bytes = 3'280'000'000;

/// Bytes of what is sharded or on the host at rest and gathered for use, as it is used; at most `elements` of it.
std::int64_t gathered_bytes(const MicroBatch& micro, std::int64_t elements) {
  std::int64_t most = 0, bytes_each = 0;
  for (const Parameter& parameter : micro.parameters) {
    const Type& stored = micro.program.type(parameter.stored);
    if (stored.flat.empty() && !micro.program[parameter.stored].on_host) continue;
    most += parameter.times * whole_elements(stored, micro.program.mesh());
    bytes_each = bytes_of(stored.dtype);
  }
  return std::min(most, elements) * bytes_each;
}

std::int64_t bucket_bytes(const MicroBatch& micro, std::int64_t elements) {
  std::int64_t all = 0, bytes_each = 0;
  for (const Parameter& parameter : micro.parameters) {
    if (parameter.grad == no_value) continue;
    const Type& stored = micro.program.type(parameter.stored);
    all += parameter.times * whole_elements(stored, micro.program.mesh());
    bytes_each = bytes_of(stored.dtype);
  }
  return 2 * std::min(all, elements) * bytes_each;
}

}  // namespace

Overheads overheads(const Count& count, const MicroBatch& micro, const Buffers& buffers) {
  Overheads o;
  std::set<std::vector<int>> groups;
  for (const Event& event : count.events) {
    std::vector<int> axes;
    for (const Axis axis : event.axes) axes.push_back(axis.id);
    std::ranges::sort(axes);
    groups.insert(axes);
    if (event.wire == Wire::all_to_all) o.all_to_all_bytes = all_to_all_bytes;
  }
  const auto communicators = std::max<std::int64_t>(std::ssize(groups), buffers.communicators);
  if (!groups.empty())
    o.communicator_bytes = first_communicator_bytes + (communicators - 1) * next_communicator_bytes;
  o.gathered_bytes = gathered_bytes(micro, buffers.gathered_elements);
  o.bucket_bytes = bucket_bytes(micro, buffers.bucket_elements);
  return o;
}

}  // namespace ithaca
