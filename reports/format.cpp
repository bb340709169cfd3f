#include "reports/format.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <span>
#include <string_view>

namespace ithaca {
namespace {

/// Three digits, whole numbers below the first step.
std::string scaled(double value, double step, std::span<const std::string_view> prefixes) {
  std::size_t power = 0;
  // 999.5 would print as 1000 of the smaller unit.
  while (std::abs(value) >= std::min(step, 999.5) && power + 1 < prefixes.size()) {
    value /= step;
    ++power;
  }
  if (power == 0) return fmt::format("{:.0f}{}", value, prefixes[0]);
  const double size = std::abs(value);
  const int decimals = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}{}", value, decimals, prefixes[power]);
}

}  // namespace

std::string decimal_bytes(std::int64_t bytes) {
  constexpr std::array<std::string_view, 6> units{" B", " kB", " MB", " GB", " TB", " PB"};
  return bytes == 0 ? "0" : scaled(static_cast<double>(bytes), 1000, units);
}

std::string binary_bytes(std::int64_t bytes) {
  constexpr std::array<std::string_view, 6> units{" B", " KiB", " MiB", " GiB", " TiB", " PiB"};
  return bytes == 0 ? "0" : scaled(static_cast<double>(bytes), 1024, units);
}

std::string decimal_count(double count) {
  constexpr std::array<std::string_view, 7> prefixes{"", " k", " M", " G", " T", " P", " E"};
  return scaled(count, 1000, prefixes);
}

std::string grouped(std::int64_t count) {
  std::string digits = fmt::format("{}", count);
  const std::size_t sign = count < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3; digits.insert(at, 1, ',')) at -= 3;
  return digits;
}

}  // namespace ithaca
