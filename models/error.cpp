#include "models/error.h"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>

namespace ithaca {
namespace {

std::string line_of(const Place& place, std::string_view key, std::string_view message) {
  std::string text = place.file;
  if (place.line > 0) text += fmt::format(":{}:{}", place.line, place.column);
  if (!text.empty()) text += ": ";
  if (!key.empty()) text += fmt::format("{}: ", key);
  return text += message;
}

}  // namespace

InputError::InputError(const Place& place, std::string_view key, std::string_view message)
    : std::runtime_error(line_of(place, key, message)) {}

InputError::InputError(std::string_view key, std::string_view message)
    : InputError(Place{}, key, message) {}

void require(bool condition, std::string_view message, const char* file, int line) {
  if (condition) return;
  fmt::print(stderr, "{}:{}: {}\n", file, line, message);
  std::abort();
}

}  // namespace ithaca
