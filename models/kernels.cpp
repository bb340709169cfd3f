#include "models/kernels.h"

#include <array>

namespace ithaca {

const char* name_of(AttentionKernel kernel) {
  constexpr std::array names{"tiled", "flash2", "flash3", "flash1", "cudnn", "unfused"};
  return names[static_cast<std::size_t>(kernel)];
}

}  // namespace ithaca
