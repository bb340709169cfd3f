// cli/text.h -- small things every verb prints: times, shapes, steps.
#pragma once

#include "models/program.h"
#include "planner/price.h"

#include <string>

namespace ithaca {

/// Three digits: "13.0 s", "235 ms", "12.5 us", "0 s".
std::string seconds_text(double seconds);
inline std::string mesh_text(const Mesh& mesh) {
  return to_string(mesh);
}
/// The integers taken: "L = 131072 tokens, b = 1 (d = 4096, ...)".
std::string shape_text(const LayerShape&);
/// ", as megatron does, adapters of rank 8": what is not the default.
std::string conditions_text(const Job&);
/// ", tiled MLP, optimizer on the host": those that are on.
std::string levers_text(const Levers&);
/// What a step does to what: "einsum up", "all_gather w_up".
std::string step_text(const Program&, const Step&);
/// The lane of a span: "compute", or the axis whose links it uses.
std::string lane_text(const Program&, Lane);
/// Collectives of a count for people, one line each.
std::string collectives_text(const Count&, const Mesh&);

/// Whether key and value gradients walk a ring in bf16.
bool rings_in_bf16(const Arrangement&);
/// What is said of such a strategy.
std::string bf16_ring_note();

}  // namespace ithaca
