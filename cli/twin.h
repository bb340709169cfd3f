// cli/twin.h -- the layer a plan is executed with: as it is, or small enough for this machine.
#pragma once

#include "models/catalog.h"
#include "models/layer.h"

#include <cstdint>

namespace ithaca {

/// The shape with d, i and e divided by `scale`: as many heads, the same strategy, mesh and ratios.
/// Throws InputError with key "--scale" and the nearest smaller scale that divides.
LayerShape twin_of(const LayerShape&, std::int64_t scale);

/// Host memory a verified run takes at its peak: arenas of all ranks, inputs, outputs, the one-rank
/// reference and whole tensors in f64 while they are compared.
std::int64_t run_bytes(const LayerShape&, const Arrangement&, const LayerOptions&);

/// What this process may still take: MemAvailable, or what its cgroup leaves of it.  Throws
/// EnvironmentError when the system does not say.
std::int64_t available_bytes();

}  // namespace ithaca
