#include "cli/twin.h"

#include "models/error.h"
#include "models/layer.h"
#include "sim/memory.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <string>

namespace ithaca {
namespace {

/// Heads keep an even dimension for rotary positions.
bool divides(const LayerShape& s, std::int64_t scale) {
  return s.d % scale == 0 && s.i % scale == 0 && s.e % (2 * scale) == 0;
}

/// Bytes of one program on every rank: its arenas, and what it takes in and gives out.
struct ProgramBytes {
  std::int64_t arenas = 0, inputs = 0, outputs = 0, widest = 0;
};

ProgramBytes bytes_of(const Program& p) {
  const std::int64_t ranks = p.mesh().ranks();
  ProgramBytes bytes;
  bytes.arenas = ranks * memory(p).arena_bytes;
  for (const ValueId v : p.inputs())
    bytes.inputs = std::max(bytes.inputs, ranks * local_bytes(p.type(v), p.mesh()));
  for (const ValueId v : p.outputs()) {
    bytes.outputs += ranks * local_bytes(p.type(v), p.mesh());
    bytes.widest = std::max(bytes.widest, global_elements(p.type(v)));
  }
  return bytes;
}

/// A layer and its update, one after the other.
ProgramBytes bytes_of(Layer layer, DType dtype) {
  layer.program = retype(std::move(layer.program), dtype);
  const ProgramBytes a = bytes_of(layer.program), b = bytes_of(settle_program(layer));
  return {std::max(a.arenas, b.arenas), std::max(a.inputs, b.inputs), a.outputs + b.outputs,
          std::max(a.widest, b.widest)};
}

/// The number in a file of one, such as memory.max; -1 when there is none ("max").
std::int64_t number_in(const char* path) {
  std::int64_t value = -1;
  std::ifstream in(path);
  return in >> value ? value : -1;
}

}  // namespace

LayerShape twin_of(const LayerShape& shape, std::int64_t scale) {
  if (!divides(shape, scale)) {
    std::int64_t fitting = std::min(scale, shape.e / 2);
    while (fitting > 1 && !divides(shape, fitting)) --fitting;
    throw InputError("--scale", fmt::format("expected a divisor of d = {}, i = {} and e / 2 = {}, "
                                            "got {}, use {}",
                                            shape.d, shape.i, shape.e / 2, scale,
                                            std::max<std::int64_t>(fitting, 1)));
  }
  LayerShape twin = shape;
  twin.d /= scale;
  twin.i /= scale;
  twin.e /= scale;
  return twin;
}

std::int64_t run_bytes(const LayerShape& shape, const Arrangement& at,
                       const LayerOptions& options) {
  const DType dtype = options.dtype;
  const ProgramBytes many = bytes_of(layer_program(shape, at.strategy, at.mesh, options), dtype);
  const ProgramBytes one = bytes_of(one_rank(shape, {false, true, dtype}), dtype);
  constexpr std::int64_t whole_copies = 4;  // both sides, a slice's indices and its numbers
  const std::int64_t compared = whole_copies * 8 * std::max(many.widest, one.widest);
  return many.outputs + one.outputs +
         std::max({many.arenas + many.inputs, one.arenas + one.inputs, compared});
}

std::int64_t available_bytes() {
  std::ifstream in("/proc/meminfo");
  std::int64_t available = -1;
  for (std::string key, rest; available < 0 && in >> key; std::getline(in, rest))
    if (key == "MemAvailable:" && in >> available) available *= 1024;
  if (available < 0) throw EnvironmentError("/proc/meminfo: expected MemAvailable, got nothing");
  const std::int64_t most = number_in("/sys/fs/cgroup/memory.max");
  const std::int64_t used = number_in("/sys/fs/cgroup/memory.current");
  return most < 0 || used < 0 ? available : std::min(available, most - std::min(most, used));
}

}  // namespace ithaca
