// models/recompute.h -- what the backward of a layer computes again instead of keeping it.
#pragma once

#include "models/error.h"
#include "models/program.h"

#include <string>
#include <string_view>

namespace ithaca {

/// full: everything but the layer's input (activation checkpointing, arXiv 1604.06174).  Otherwise by class of
/// operation, each from what it read: norms, activations, the up-projection of the MLP.
struct Recompute {
  bool full = false;
  bool norm = false, act = false, up = false;
  /// Of full: results of attention and their log-sum-exp are kept all the same, and the block a ring received last
  /// (LoongTrain's selective checkpoint++, arXiv 2406.18485).
  bool keep_attention = false;

  Recompute() = default;
  Recompute(bool all)
      : full(all) {}  // NOLINT(google-explicit-constructor): all or nothing is a flag
  bool operator==(const Recompute&) const = default;

  /// Whether a step of the forward is done again, one by one, where its result is needed.
  bool selects(const Program&, const Step&) const;
};

/// "none", "full", or the classes: "norm+act".
std::string text_of(const Recompute&);
/// InputError at `place` and `key` for anything else; "selective" is "norm+act", which costs next to no time.
Recompute parse_recompute(std::string_view text, const Place& place, std::string_view key);

}  // namespace ithaca
