// reports/format.h -- numbers as people read them.  Exact integers are in --json and --csv.
#pragma once

#include <cstdint>
#include <string>

namespace ithaca {

/// What travels, in powers of 1000 and three digits: "1.29 GB", "235 MB", "0".
std::string decimal_bytes(std::int64_t bytes);
/// What lies in memory, in powers of 1024 and three digits: "1.38 GiB", "512 B", "0".
std::string binary_bytes(std::int64_t bytes);
/// In powers of 1000: "8.82 T", "134 M", "950"; the caller appends the unit.
std::string decimal_count(double count);
/// Every digit, in groups of three: "19,815".
std::string grouped(std::int64_t count);

}  // namespace ithaca
