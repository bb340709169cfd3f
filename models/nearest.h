// models/nearest.h -- what an error line says about a word the user typed: the word itself and the
// nearest known one.
#pragma once

#include "models/error.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

/// The text with every control character as '?'.
std::string one_line(std::string_view text);

/// The word between double quotes, on one line; what follows 60 bytes becomes "...".
std::string in_quotes(std::string_view word);

/// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other, ignoring
/// case. Optimal string alignment: Damerau 1964, no substring is edited twice.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// `, did you mean "x"?` for the nearest known word at most max(2, a third of the word) edits away,
/// else nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

/// InputError with `key` that lists the known names.
[[noreturn]] void refuse_name(std::string_view name, const std::vector<std::string>& known,
                              const Place&, std::string_view key);

/// The one of that name in a table of things with a `name`; refuse_name() when there is none.
template <class T>
const T& named(std::span<const T> all, std::string_view name, const Place& place,
               std::string_view key) {
  const auto it = std::ranges::find(all, name, &T::name);
  if (it != all.end()) return *it;
  std::vector<std::string> names;
  for (const T& one : all) names.emplace_back(one.name);
  refuse_name(name, names, place, key);
}

}  // namespace ithaca
