#include "models/units.h"

#include "models/nearest.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <vector>

namespace ithaca {
namespace {

constexpr double kibi = 1024, mebi = kibi * kibi, gibi = mebi * kibi, tebi = gibi * kibi;

struct Unit {
  std::string_view name;
  double scale;
};

struct Units {
  std::string_view example;
  std::vector<Unit> units;
};

const Units& units_of(Dimension dimension) {
  static const Units table[] = {
      {"80 GiB",
       {{"B", 1},
        {"kB", 1e3},
        {"KB", 1e3},
        {"MB", 1e6},
        {"GB", 1e9},
        {"TB", 1e12},
        {"KiB", kibi},
        {"MiB", mebi},
        {"GiB", gibi},
        {"TiB", tebi}}},
      {"450 GB/s",
       {{"B/s", 1},
        {"kB/s", 1e3},
        {"KB/s", 1e3},
        {"MB/s", 1e6},
        {"GB/s", 1e9},
        {"TB/s", 1e12},
        {"KiB/s", kibi},
        {"MiB/s", mebi},
        {"GiB/s", gibi},
        {"TiB/s", tebi},
        {"Mb/s", 1e6 / 8},
        {"Gb/s", 1e9 / 8},
        {"Tb/s", 1e12 / 8}}},
      {"5 us", {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}}},
      {"312 TFLOP/s",
       {{"FLOP/s", 1}, {"MFLOP/s", 1e6}, {"GFLOP/s", 1e9}, {"TFLOP/s", 1e12}, {"PFLOP/s", 1e15}}},
  };
  return table[static_cast<std::size_t>(dimension)];
}

/// The number at the start of `text`, which is shortened by it; nothing when there is none.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<double> scaled(std::string_view text, const Units& units) {
  const std::optional<double> value = take_number(text);
  if (!value) return std::nullopt;
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  const auto unit = std::ranges::find(units.units, text, &Unit::name);
  if (unit == units.units.end()) return std::nullopt;
  return *value * unit->scale;
}

/// Digits without the underscores that may stand between them; nothing when one stands elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  const auto digit = [&](std::size_t at) {
    return at < text.size() && text[at] >= '0' && text[at] <= '9';
  };
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '_') {
      plain += text[at];
    } else if (at == 0 || !digit(at - 1) || !digit(at + 1)) {
      return std::nullopt;
    }
  }
  return plain;
}

std::optional<double> tokens(std::string_view text) {
  static const Units suffixes = {"",
                                 {{"", 1},
                                  {"k", kibi},
                                  {"K", kibi},
                                  {"Ki", kibi},
                                  {"ki", kibi},
                                  {"M", mebi},
                                  {"Mi", mebi},
                                  {"G", gibi},
                                  {"Gi", gibi}}};
  if (text.empty() || text.find(' ') != std::string_view::npos) return std::nullopt;
  const std::optional<std::string> plain = without_underscores(text);
  return plain ? scaled(*plain, suffixes) : std::nullopt;
}

}  // namespace

double quantity(std::string_view text, Dimension dimension, const Place& place,
                std::string_view key) {
  const Units& units = units_of(dimension);
  const std::optional<double> value = scaled(text, units);
  const bool zero_is_fine = dimension == Dimension::seconds;
  // 2^62 bytes still fit an int64; nothing else measured here comes near it.
  constexpr double most = 4.6e18;
  if (!value) {
    throw InputError(place, key,
                     fmt::format("expected a number with unit such as \"{}\", got {}",
                                 units.example, in_quotes(text)));
  }
  if (*value < 0 || (*value == 0 && !zero_is_fine) || *value > most) {
    throw InputError(
        place, key,
        fmt::format("expected a {} number with unit such as \"{}\", got {}",
                    *value > most ? "smaller" : "positive", units.example, in_quotes(text)));
  }
  return *value;
}

std::int64_t token_count(std::string_view text, std::string_view flag) {
  const std::optional<double> value = tokens(text);
  if (!value) {
    throw InputError(flag, fmt::format("expected a token count such as 131072, 128k or 1M, got {}",
                                       in_quotes(text)));
  }
  constexpr double most = tebi;
  if (*value < 1 || *value > most || *value != std::floor(*value)) {
    throw InputError(flag, fmt::format("expected a whole number of tokens from 1 to {}, got {}",
                                       static_cast<std::int64_t>(most), in_quotes(text)));
  }
  return static_cast<std::int64_t>(*value);
}

}  // namespace ithaca
