// models/units.h -- text with units to the numbers used inside: bytes, bytes per second, seconds,
// FLOP per second, tokens.
//
// Decimal prefixes are powers of 1000 (GB, Gb, TFLOP), binary ones of 1024 (GiB); B is a byte, b a
// bit. A number without its unit is an error: it is the commonest way to be wrong by 8 or by 1000.
#pragma once

#include "models/error.h"

#include <cstdint>
#include <string_view>

namespace ithaca {

enum class Dimension : std::uint8_t { bytes, bytes_per_s, seconds, flops_per_s };

/// The number in base units of a text such as "80 GiB", "450 GB/s", "400 Gb/s", "5 us" or "312
/// TFLOP/s". Positive; seconds may also be 0.  Throws InputError at `place` and `key` for anything
/// else.
double quantity(std::string_view text, Dimension dimension, const Place& place,
                std::string_view key);

/// Tokens of a flag: a plain integer, "128_000", "128e3", or with a binary suffix: "128k" = "128K"
/// = "128Ki" = 131072, "1M" = "1Mi" = 1048576, "1G" = "1Gi" = 2^30.  From 1 to 2^40; fractions are
/// fine when the product is whole ("1.5M"). Throws InputError with `flag` as its key.
std::int64_t token_count(std::string_view text, std::string_view flag);

}  // namespace ithaca
