// reports/crossover.h -- the lengths at which two strategies send the same bytes.
//
// Solved from count(): what a strategy sends is affine in the length, so two counts give the line
// and a third confirms it.
#pragma once

#include "models/layer_shape.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ithaca {

/// Sent bytes of one rank, one layer, both passes: fixed_bytes + bytes_per_token L, for a sample of
/// L tokens.
struct SentLine {
  double fixed_bytes = 0, bytes_per_token = 0;
};
/// Throws InputError when the strategy is impossible for the shape.
SentLine sent_line(const std::string& strategy, const LayerShape& shape, int degree);

struct Crossover {
  std::string first, second;
  std::optional<double> tokens;  ///< length of a sample where both send the same; nothing: never
  std::string less_when_longer;  ///< sends less beyond `tokens`, or always when there is none
  std::string error;             ///< why one of the two is impossible; the rest is empty then
};

/// Of the pairs people choose between at one degree: tensor parallelism, Odysseus, Ulysses, ring.
std::vector<Crossover> crossovers(const LayerShape& shape, int degree);

}  // namespace ithaca
