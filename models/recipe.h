// models/recipe.h -- in which precision weights, gradients and optimizer states are kept.
#pragma once

#include "models/error.h"
#include "models/type.h"

#include <span>
#include <string>
#include <string_view>

namespace ithaca {

/// One way to train with AdamW; bytes of a parameter are those of weight, gradient, master and two moments.
struct Recipe {
  std::string_view name, sentence;
  DType weight = DType::bf16, gradient = DType::bf16, moments = DType::f32;
  bool master = true;  ///< an f32 copy of the weights beside those in use
};
std::span<const Recipe> recipes();
/// InputError at `place` with `key` for an unknown name.
const Recipe& find_recipe(std::string_view name, const Place& place = {},
                          std::string_view key = "--recipe");

}  // namespace ithaca
