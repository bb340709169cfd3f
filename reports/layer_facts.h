// reports/layer_facts.h -- what the events of one layer come to: labels, sent elements, what is
// split and what is copied.
//
// Everything is read from the program and its count; published claims are judged against it.
#pragma once

#include "models/layer.h"
#include "models/wire.h"
#include "sim/count.h"

#include <array>
#include <cstdint>
#include <string>

namespace ithaca {

/// Calls of each kind of collective, indexed by Wire.
struct WireCalls {
  std::array<int, 6> calls{};
  int& operator[](Wire wire) { return calls[static_cast<std::size_t>(wire)]; }
  int operator[](Wire wire) const { return calls[static_cast<std::size_t>(wire)]; }
  bool operator==(const WireCalls&) const = default;
  int all() const;
};
WireCalls operator+(WireCalls, const WireCalls&);
/// "6AG+4RS", "7P2P", or "-" for no call.
std::string label(const WireCalls&);

/// Elements one rank sends, whatever their dtype.
struct SentElements {
  std::int64_t forward = 0, backward = 0;
  std::int64_t all() const { return forward + backward; }
};

/// Bytes of some tensors on one of N ranks beside the same on a single rank.
struct Share {
  std::int64_t local_bytes = 0;     ///< on one of the N ranks
  std::int64_t copied_bytes = 0;    ///< of these, tensors that every rank holds whole
  std::int64_t one_rank_bytes = 0;  ///< when there is a single rank
  int ranks = 1;
};
/// As a part of the single rank's: "1/N", "1.06/N", "full", "0.25 + 0.75/N"; "-" when there is
/// nothing.
std::string text_of(const Share&);

struct LayerFacts {
  WireCalls forward, backward;  ///< of activations and their gradients
  WireCalls each_weight;        ///< of every weight matrix that travels (the most of any)
  bool attention_weights = false, mlp_weights = false;  ///< whether these travel
  int repeated_gathers = 0;  ///< all-gathers of an activation the forward had gathered already
  SentElements activation, weight;
  std::int64_t gathered_parameters = 0;  ///< elements of the weights that travel, each once
  Share saved;                           ///< activations kept for the backward
  Share weights;                         ///< weight matrices at rest; gains and biases left out
};

/// `counted` is count(layer.program); `alone` the same layer on one rank.
LayerFacts facts_of(const Layer& layer, const Count& counted, const Layer& alone);

}  // namespace ithaca
