#include "sim/allocator.h"

#include "models/error.h"

#include <algorithm>
#include <vector>

namespace ithaca {
namespace {

constexpr std::int64_t mib = 1 << 20;
constexpr std::int64_t block_unit = 512, small_limit = mib;
constexpr std::int64_t small_segment = 2 * mib, large_segment = 20 * mib;
constexpr std::int64_t own_segment_from = 10 * mib, segment_unit = 2 * mib;
constexpr std::int64_t address_space = std::int64_t{1} << 60;

std::int64_t round_up(std::int64_t bytes, std::int64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::int64_t segment_bytes(std::int64_t bytes) {
  if (bytes <= small_limit) return small_segment;
  return bytes < own_segment_from ? large_segment : round_up(bytes, segment_unit);
}

std::int64_t page_bytes(bool small) {
  return small ? small_segment : large_segment;
}

}  // namespace

void CachingAllocator::Gauge::add(std::int64_t bytes) {
  now += bytes;
  peak = std::max(peak, now);
}

CachingAllocator::CachingAllocator(const AllocatorPolicy& policy) : policy_(policy) {
  require(policy.max_split_bytes == 0 || policy.max_split_bytes > large_segment,
          "max_split_size is above 20 MiB");
  if (!policy.expandable) return;
  for (const bool small : {true, false}) {
    list(blocks_.emplace(end_, Block{address_space, 0, end_, small, State::unmapped}).first);
    end_ += address_space;
  }
}

std::optional<CachingAllocator::Address> CachingAllocator::allocate(std::int64_t bytes) {
  require(bytes > 0, "a request is for at least one byte");
  const std::int64_t rounded = round_up(bytes, block_unit);
  At at = cached(rounded);
  if (at == blocks_.end()) at = fresh(rounded);
  if (at == blocks_.end() && release_oversize(rounded)) at = fresh(rounded);
  if (at == blocks_.end()) {
    release_cached();
    at = fresh(rounded);
  }
  if (at == blocks_.end()) return {};
  if (should_split(at->second, rounded)) list(cut(at, rounded));
  at->second.state = State::used;
  at->second.requested = bytes;
  allocated_.add(at->second.bytes);
  requested_.add(bytes);
  return at->first;
}

void CachingAllocator::free(Address address) {
  const At at = blocks_.find(address);
  require(at != blocks_.end() && at->second.state == State::used, "only what is in use is freed");
  allocated_.add(-at->second.bytes);
  requested_.add(-at->second.requested);
  at->second.state = State::free;
  unite(at);
}

// ---- blocks ----------------------------------------------------------------------------------------------

void CachingAllocator::list(At at) {
  const Block& block = at->second;
  if (block.state == State::free) pool(block.small).free.emplace(block.bytes, at->first);
  if (block.state == State::unmapped) pool(block.small).unmapped.insert(at->first);
}

void CachingAllocator::unlist(At at) {
  const Block& block = at->second;
  if (block.state == State::free) pool(block.small).free.erase({block.bytes, at->first});
  if (block.state == State::unmapped) pool(block.small).unmapped.erase(at->first);
}

bool CachingAllocator::neighbours(At a, At b) const {
  return b != blocks_.end() && a->second.segment == b->second.segment;
}

/// Leaves `bytes` to a block that is not listed; the rest, not listed either.
CachingAllocator::At CachingAllocator::cut(At at, std::int64_t bytes) {
  Block rest = at->second;
  rest.bytes -= bytes;
  at->second.bytes = bytes;
  return blocks_.emplace(at->first + bytes, rest).first;
}

/// Merges a block that is not listed with neighbours of its state, and lists what comes of it.
CachingAllocator::At CachingAllocator::unite(At at) {
  const auto merges = [&](At a, At b) {
    return neighbours(a, b) && a->second.state == b->second.state;
  };
  const auto absorb = [&](At a, At b) {
    a->second.bytes += b->second.bytes;
    blocks_.erase(b);
  };
  if (const At next = std::next(at); merges(at, next)) {
    unlist(next);
    absorb(at, next);
  }
  if (at != blocks_.begin() && merges(std::prev(at), at)) {
    const At before = std::prev(at);
    unlist(before);
    absorb(before, at);
    at = before;
  }
  list(at);
  return at;
}

bool CachingAllocator::should_split(const Block& block, std::int64_t bytes) const {
  const std::int64_t rest = block.bytes - bytes;
  if (block.small || policy_.expandable) return rest >= block_unit;
  return rest > small_limit && (policy_.max_split_bytes == 0 || bytes < policy_.max_split_bytes);
}

// ---- where a request is served: each gives a free block that is not listed, or the end -------------------------

/// As large as a free block could grow into the addresses behind it.
std::int64_t CachingAllocator::room(At at) {
  const At next = std::next(at);
  const bool grows = neighbours(at, next) && next->second.state == State::unmapped;
  return at->second.bytes + (grows ? next->second.bytes : 0);
}

CachingAllocator::At CachingAllocator::cached(std::int64_t bytes) {
  const auto& free = pool(bytes <= small_limit).free;
  auto it = free.lower_bound({bytes, 0});
  if (it == free.end()) return blocks_.end();
  At at = blocks_.find(it->second);
  for (++it; policy_.expandable && it != free.end(); ++it) {
    const At larger = blocks_.find(it->second);
    if (room(larger) >= room(at)) break;
    at = larger;
  }
  if (const std::int64_t limit = policy_.max_split_bytes; limit > 0) {
    if (bytes < limit && at->second.bytes >= limit) return blocks_.end();
    if (bytes >= limit && at->second.bytes >= bytes + large_segment) return blocks_.end();
  }
  unlist(at);
  return at;
}

CachingAllocator::At CachingAllocator::fresh(std::int64_t bytes) {
  return policy_.expandable ? grow(bytes) : new_segment(bytes);
}

CachingAllocator::At CachingAllocator::new_segment(std::int64_t bytes) {
  const std::int64_t segment = segment_bytes(bytes);
  if (!reserve(segment)) return blocks_.end();
  const Block block{segment, 0, end_, bytes <= small_limit, State::free};
  const At at = blocks_.emplace(end_, block).first;
  end_ += segment;
  return at;
}

/// The lowest unmapped addresses, or the free block before them, from which on nothing in use leaves too little.
CachingAllocator::At CachingAllocator::lowest_room(std::int64_t bytes) {
  for (const Address hole : pool(bytes <= small_limit).unmapped) {
    At first = blocks_.find(hole);
    if (first != blocks_.begin() && neighbours(std::prev(first), first) &&
        std::prev(first)->second.state == State::free)
      --first;
    std::int64_t found = 0;
    for (At at = first; found < bytes && neighbours(first, at); ++at) {
      if (at->second.state == State::used) break;
      found += at->second.bytes;
    }
    if (found >= bytes) return first;
  }
  require(false, "addresses never end");
  return blocks_.end();
}

CachingAllocator::At CachingAllocator::grow(std::int64_t bytes) {
  At at = lowest_room(bytes);
  if (at->second.state == State::unmapped) at = map(at, std::min(at->second.bytes, bytes));
  while (at != blocks_.end() && at->second.bytes < bytes) {
    const At hole = std::next(at);
    at = map(hole, std::min(hole->second.bytes, bytes - at->second.bytes));
  }
  if (at != blocks_.end()) unlist(at);
  return at;
}

/// Backs the first pages of unmapped addresses, `bytes` of them at least; the free block they are then part of.
CachingAllocator::At CachingAllocator::map(At hole, std::int64_t bytes) {
  const std::int64_t mapped = round_up(bytes, page_bytes(hole->second.small));
  if (!reserve(mapped)) return blocks_.end();
  unlist(hole);
  if (mapped < hole->second.bytes) list(cut(hole, mapped));
  hole->second.state = State::free;
  return unite(hole);
}

// ---- the device ------------------------------------------------------------------------------------------

bool CachingAllocator::reserve(std::int64_t bytes) {
  if (policy_.capacity_bytes > 0 && reserved_.now + bytes > policy_.capacity_bytes) return false;
  reserved_.add(bytes);
  return true;
}

/// Frees the smallest oversize block that suffices, or the largest ones until they do together.
bool CachingAllocator::release_oversize(std::int64_t bytes) {
  if (policy_.max_split_bytes == 0 || policy_.expandable) return false;
  auto& free = pool(bytes <= small_limit).free;
  if (const auto it = free.lower_bound({bytes, 0}); it != free.end()) {  // else it had been used
    release(blocks_.find(it->second));
    return true;
  }
  std::int64_t released = 0;
  while (released < bytes && !free.empty() && free.rbegin()->first >= policy_.max_split_bytes) {
    released += free.rbegin()->first;
    release(blocks_.find(free.rbegin()->second));
  }
  return released >= bytes;
}

void CachingAllocator::release_cached() {
  std::vector<Address> cached;
  for (const Pool& pool : pools_)
    for (const auto& [bytes, address] : pool.free) cached.push_back(address);
  for (const Address address : cached) {
    const At at = blocks_.find(address);
    const bool whole = at->first == at->second.segment && !neighbours(at, std::next(at));
    if (policy_.expandable)
      unmap(at);
    else if (whole)
      release(at);
  }
}

void CachingAllocator::release(At at) {
  unlist(at);
  reserved_.add(-at->second.bytes);
  blocks_.erase(at);
}

/// Gives back the pages that lie within a free block.
void CachingAllocator::unmap(At at) {
  const std::int64_t page = page_bytes(at->second.small);
  const std::int64_t begin = at->first - at->second.segment, end = begin + at->second.bytes;
  const std::int64_t first = round_up(begin, page), last = end / page * page;
  if (first >= last) return;
  unlist(at);
  At pages = at;
  if (first > begin) {
    pages = cut(at, first - begin);
    list(at);
  }
  if (last < end) list(cut(pages, last - first));
  pages->second.state = State::unmapped;
  reserved_.add(first - last);
  unite(pages);
}

}  // namespace ithaca
