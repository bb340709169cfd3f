// sim/allocator.h -- what PyTorch's caching allocator takes from the device to serve a sequence of requests.
//
// Its rules, from DeviceCachingAllocator in c10/cuda/CUDACachingAllocator.cpp (github.com/pytorch/pytorch at 001074d),
// names of its constants and functions in brackets:
//
//     size      rounded up to 512 B (kMinBlockSize)
//     pool      small up to 1 MiB (kSmallSize), else large; blocks of one never serve the other
//     fit       the smallest free block that suffices, of equals the lowest address (get_free_block)
//     segment   2 MiB of the small pool (kSmallBuffer); 20 MiB for less than 10 MiB (kLargeBuffer, kMinLargeAlloc);
//               else the request rounded up to 2 MiB (kRoundLarge)
//     split     when what remains is at least 512 B (small) or more than 1 MiB (large) (should_split)
//     merge     free neighbours of a segment, at once (try_merge_blocks)
//     limit     max_split_size: no request from there on splits a block; such blocks serve only such requests, and
//               only those they exceed by less than 20 MiB
//     pages     expandable_segments: one segment a pool, grown at the lowest address by pages of 2 MiB (small) or
//               20 MiB (large); whatever remains of 512 B or more is split; a free block before unmapped addresses
//               counts as large as it could grow (find_expandable_block, map_block)
//     retry     when the device is full: free enough blocks of max_split_size and more, then all unsplit free segments
//               or, expandable, all whole free pages (release_available_cached_blocks, release_cached_blocks)
//
// One stream, no CUDA graphs, no roundup_power2_divisions and no garbage_collection_threshold.  cudaMalloc gives
// ascending addresses; addresses of an expandable segment never end.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace ithaca {

/// PYTORCH_CUDA_ALLOC_CONF and the device.
struct AllocatorPolicy {
  bool expandable = false;           ///< expandable_segments:True
  std::int64_t max_split_bytes = 0;  ///< max_split_size_mb; above 20 MiB, 0: none
  std::int64_t capacity_bytes = 0;   ///< what segments may take together; 0: no end
};

class CachingAllocator {
 public:
  using Address = std::int64_t;
  /// Bytes now and the most so far.
  struct Gauge {
    std::int64_t now = 0, peak = 0;
    void add(std::int64_t bytes);
  };

  explicit CachingAllocator(const AllocatorPolicy&);
  /// Memory for `bytes` > 0; nothing when the device is full.
  std::optional<Address> allocate(std::int64_t bytes);
  /// Takes back what allocate() gave.
  void free(Address);

  const Gauge& reserved() const { return reserved_; }    ///< memory_reserved(): segments, or pages
  const Gauge& allocated() const { return allocated_; }  ///< memory_allocated(): blocks in use
  const Gauge& requested() const { return requested_; }  ///< as asked for, unrounded

 private:
  enum class State : std::uint8_t { used, free, unmapped };
  struct Block {
    std::int64_t bytes, requested;
    Address segment;  ///< where its segment begins
    bool small;
    State state;
  };
  using Blocks = std::map<Address, Block>;
  using At = Blocks::iterator;
  struct Pool {
    std::set<std::pair<std::int64_t, Address>> free;
    std::set<Address> unmapped;
  };

  Pool& pool(bool small) { return pools_[small ? 1 : 0]; }
  void list(At);
  void unlist(At);
  bool neighbours(At, At) const;
  At cut(At, std::int64_t bytes);
  At unite(At);

  std::int64_t room(At);
  At cached(std::int64_t bytes);
  At fresh(std::int64_t bytes);
  At new_segment(std::int64_t bytes);
  At lowest_room(std::int64_t bytes);
  At grow(std::int64_t bytes);
  At map(At hole, std::int64_t bytes);
  bool should_split(const Block&, std::int64_t bytes) const;

  bool reserve(std::int64_t bytes);
  bool release_oversize(std::int64_t bytes);
  void release_cached();
  void release(At);
  void unmap(At);

  AllocatorPolicy policy_;
  Blocks blocks_;
  std::array<Pool, 2> pools_;
  Address end_ = 0;  ///< of the last segment
  Gauge reserved_, allocated_, requested_;
};

}  // namespace ithaca
