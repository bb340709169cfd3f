// runtime/order.h -- what ranks must agree on before anything runs: the program, and one order of
// its collectives.
//
// A collective ends only when every rank of its group has come.  Ranks that call collectives in
// different orders wait for one another for ever, so the orders are played through first.
#pragma once

#include "models/program.h"

#include <cstdint>
#include <vector>

namespace ithaca {

/// A collective as one rank will call it.
struct CollectiveCall {
  std::vector<int> group;  ///< ranks, sorted
  std::uint64_t id;        ///< the same number on all of them
};
/// Calls in order, by rank.
using CallOrders = std::vector<std::vector<CollectiveCall>>;

/// The calls of a program on every rank of its mesh; the id is the number of the step.
CallOrders call_orders(const Program&);

/// Plays the calls through.  Returns when all of them end: then every group has one order and the
/// union of all orders has no cycle.  Throws EnvironmentError that names a rank and what it would
/// wait for.
void check_order(const CallOrders&);

/// A number that differs when steps, types or the mesh do.
std::uint64_t fingerprint(const Program&);

}  // namespace ithaca
