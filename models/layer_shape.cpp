#include "models/layer_shape.h"

#include <array>
#include <fmt/format.h>

namespace ithaca {

const char* name_of(Norm norm) {
  return norm == Norm::rms ? "rms" : "layer";
}

const char* name_of(Act act) {
  constexpr std::array names{"swiglu", "geglu", "gelu", "silu"};
  return names[static_cast<std::size_t>(act)];
}

const char* title_of(Act act) {
  constexpr std::array titles{"SwiGLU", "GeGLU", "GELU", "SiLU"};
  return titles[static_cast<std::size_t>(act)];
}

bool is_gated(Act act) {
  return act == Act::swiglu || act == Act::geglu;
}

LayerShape with_tokens(LayerShape shape, std::int64_t L) {
  shape.L = L;
  const Mask& mask = shape.mask;
  if (mask.kind() == MaskKind::documents && !mask.drawn_from() && !mask.misfit(L).empty()) {
    const std::int64_t tokens = mask.document_bounds().back();
    throw InputError(
        "--seq", fmt::format("expected the {} tokens of the mask's documents, got {}, use --seq "
                             "{} or a mask documents:mean=TOKENS",
                             tokens, L, tokens));
  }
  shape.mask = mask.on(L, "--seq");
  return shape;
}

}  // namespace ithaca
