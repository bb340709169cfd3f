#include "runtime/ledger.h"

#include "models/error.h"

#include <iterator>

namespace ithaca {

void Ledger::take(std::int64_t offset, std::int64_t bytes) {
  if (bytes == 0) return;
  require(offset >= 0 && offset + bytes <= arena_bytes_, "a buffer lies outside the arena");
  const auto next = blocks_.lower_bound(offset);
  require(next == blocks_.end() || offset + bytes <= next->first,
          "a buffer overlaps one that is held");
  require(next == blocks_.begin() || std::prev(next)->first + std::prev(next)->second <= offset,
          "a buffer overlaps one that is held");
  blocks_.emplace_hint(next, offset, bytes);
  held_bytes_ += bytes;
}

void Ledger::give_back(std::int64_t offset, std::int64_t bytes) {
  if (bytes == 0) return;
  const auto it = blocks_.find(offset);
  require(it != blocks_.end() && it->second == bytes, "a buffer is given back that is not held");
  blocks_.erase(it);
  held_bytes_ -= bytes;
}

}  // namespace ithaca
