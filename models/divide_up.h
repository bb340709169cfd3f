// models/divide_up.h -- how many parts of one size something makes.
#pragma once

#include <cstdint>

namespace ithaca {

/// a / b, rounded up.  Neither is negative, b is above 0.
constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace ithaca
