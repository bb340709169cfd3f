#include "models/nearest.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ithaca {
namespace {

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return line;
}

std::string in_quotes(std::string_view word) {
  constexpr std::size_t most = 60;
  return fmt::format("\"{}{}\"", one_line(word.substr(0, most)), word.size() > most ? "..." : "");
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> edits(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t m = 0; m <= a.size(); ++m) {
    for (std::size_t n = 0; n <= b.size(); ++n) {
      if (m == 0 || n == 0) {
        edits[m][n] = m + n;
        continue;
      }
      const bool same = lower(a[m - 1]) == lower(b[n - 1]);
      edits[m][n] = std::min(
          {edits[m - 1][n] + 1, edits[m][n - 1] + 1, edits[m - 1][n - 1] + (same ? 0 : 1)});
      if (m > 1 && n > 1 && lower(a[m - 1]) == lower(b[n - 2]) &&
          lower(a[m - 2]) == lower(b[n - 1])) {
        edits[m][n] = std::min(edits[m][n], edits[m - 2][n - 2] + 1);
      }
    }
  }
  return edits[a.size()][b.size()];
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  constexpr std::size_t longest = 200;
  if (known.empty() || word.size() > longest) return "";
  const auto best = std::ranges::min_element(
      known, {}, [&](const std::string& candidate) { return edit_distance(word, candidate); });
  if (edit_distance(word, *best) > std::max<std::size_t>(2, word.size() / 3)) return "";
  return fmt::format(", did you mean \"{}\"?", *best);
}

void refuse_name(std::string_view name, const std::vector<std::string>& known, const Place& place,
                 std::string_view key) {
  throw InputError(place, key,
                   fmt::format("expected one of {}, got {}{}", fmt::join(known, ", "),
                               in_quotes(name), did_you_mean(name, known)));
}

}  // namespace ithaca
