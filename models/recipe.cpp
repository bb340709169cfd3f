#include "models/recipe.h"

#include "models/error.h"
#include "models/nearest.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <vector>

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

const Recipe& find_recipe(std::string_view name) {
  const auto it = std::ranges::find(all, name, &Recipe::name);
  if (it != all.end()) return *it;
  std::vector<std::string> names;
  for (const Recipe& r : all) names.emplace_back(r.name);
  throw InputError("--recipe",
                   fmt::format("expected one of mixed, mixed-f32-grads, bf16 and f32, got {}{}",
                               in_quotes(name), did_you_mean(name, names)));
}

}  // namespace ithaca
