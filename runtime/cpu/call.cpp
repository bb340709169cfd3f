#include "runtime/cpu/call.h"

#include "models/error.h"

#include <algorithm>

namespace ithaca {

std::int64_t row_elements(const Program& p, const Type& x, const Type& row) {
  require(row.dims.size() <= x.dims.size() &&
              std::equal(row.dims.rbegin(), row.dims.rend(), x.dims.rbegin(),
                         [](const Dim& a, const Dim& b) { return a.name == b.name; }),
          "expected the dims of a gain or bias to be the trailing dims of the value");
  return whole_elements(row, p.mesh());
}

}  // namespace ithaca
