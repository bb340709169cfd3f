// models/passes/chunk.h -- a gather or scatter in pieces, behind the product that reads or makes it.
#pragma once

#include "models/program.h"

#include <cstdint>

namespace ithaca {

/// A move of activations or their gradients that a product waits for, and one that waits for a product, goes in
/// `pieces` runs of the dimension it gathers, scatters or sums along (b or L, never one the product contracts), and so
/// does the product: the second piece travels while the first is multiplied (Wang et al., "Overlap Communication with
/// Dependent Computation via Decomposition", ASPLOS 2023).  The same values and the same bytes on the wire, in `pieces`
/// times the launches.  Pieces are cut out and put together by copies of their own, which are counted.
///
/// Left alone: a move that other work stands between and its product, for that hides it already; weights and their
/// gradients, which have the whole layer to travel behind; deals other than blocks; and a sum that would be padded.
/// A dimension of fewer elements than pieces is cut into as many as it has.
Program chunk(Program, std::int64_t pieces);

}  // namespace ithaca
