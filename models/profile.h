// models/profile.h -- what known implementations do with gradients where the strategy leaves it open.
//
// The same table of ZeRO-1 sends 2 F P elements a step in Megatron-LM and 3 F P in DeepSpeed (F = (N-1)/N, P
// parameters): to compare with a measurement is to price what was measured.
#pragma once

#include "models/strategy.h"

#include <optional>
#include <span>
#include <string_view>

namespace ithaca {

struct Profile {
  std::string_view name, sentence, source;
  /// Gradients are summed whole before a rank takes its part: under ZeRO-1 once a step, under ZeRO-2 every micro-batch.
  bool all_reduce_gradients = false;
  /// In which gradients are summed over ranks, else as they come: `reduction` of LayerOptions and UpdateOptions.
  std::optional<DType> reduction = {};
};
/// reference (every sum straight to where it is wanted), deepspeed, megatron, fsdp2.
std::span<const Profile> profiles();
/// InputError with key "--profile" for an unknown name.
const Profile& find_profile(std::string_view name);

/// The strategy with weight rows as the implementation handles them.
Strategy with_profile(Strategy, const Profile&);

}  // namespace ithaca
