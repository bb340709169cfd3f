// train/checksum.h -- CRC-64 of bytes that come in pieces.
//
// CRC-64/XZ: the polynomial of ECMA-182, reflected; the checksum of "123456789" is 995dc9bbdf1939fa.
// It sees every change within 64 neighbouring bits, and misses one in 2^64 of all others.  It
// guards against damage, not against forgery.
#pragma once

#include <boost/crc.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ithaca {

class Checksum {
 public:
  void add(std::span<const std::byte> bytes) { crc_.process_bytes(bytes.data(), bytes.size()); }
  std::uint64_t value() const { return crc_.checksum(); }

 private:
  boost::crc_optimal<64, 0x42f0e1eba9ea3693U, ~std::uint64_t{0}, ~std::uint64_t{0}, true, true>
      crc_;
};

std::uint64_t checksum_of(std::string_view bytes);
/// Sixteen hexadecimal digits.
std::string checksum_text(std::uint64_t checksum);

}  // namespace ithaca
