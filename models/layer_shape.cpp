#include "models/layer_shape.h"

#include <array>

namespace ithaca {

const char* name_of(Norm norm) {
  return norm == Norm::rms ? "rms" : "layer";
}

const char* name_of(Act act) {
  constexpr std::array names{"swiglu", "geglu", "gelu"};
  return names[static_cast<std::size_t>(act)];
}

const char* title_of(Act act) {
  constexpr std::array titles{"SwiGLU", "GeGLU", "GELU"};
  return titles[static_cast<std::size_t>(act)];
}

}  // namespace ithaca
