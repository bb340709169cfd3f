#include "train/checksum.h"

#include <fmt/format.h>

namespace ithaca {

std::uint64_t checksum_of(std::string_view bytes) {
  Checksum checksum;
  checksum.add(std::as_bytes(std::span(bytes)));
  return checksum.value();
}

std::string checksum_text(std::uint64_t checksum) {
  return fmt::format("{:016x}", checksum);
}

}  // namespace ithaca
