#include "models/recipe.h"

#include "models/nearest.h"

#include <array>

namespace ithaca {
namespace {

using enum DType;
// 16 and 18 bytes a parameter: Rajbhandari et al., arXiv 1910.02054 section 3.1; Megatron-LM's main gradients are f32.
constexpr std::array all{
    Recipe{"mixed", "bf16 weights and gradients, f32 master and moments: 16 bytes a parameter",
           bf16, bf16, f32, true},
    Recipe{"mixed-f32-grads", "as mixed with gradients kept in f32: 18 bytes a parameter", bf16,
           f32, f32, true},
    Recipe{"bf16", "weights, gradients and moments in bf16, no master: 8 bytes a parameter", bf16,
           bf16, bf16, false},
    Recipe{"f32", "everything in f32: 16 bytes a parameter", f32, f32, f32, false}};

}  // namespace

std::span<const Recipe> recipes() {
  return all;
}

const Recipe& find_recipe(std::string_view name, const Place& place, std::string_view key) {
  return named(recipes(), name, place, key);
}

}  // namespace ithaca
