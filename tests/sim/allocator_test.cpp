// Every rule of the caching allocator on cases small enough to work out by hand.  Addresses of segments follow one
// another, so a block's address says where it was put.
#include "sim/allocator.h"

#include <gtest/gtest.h>

#include <vector>

namespace ithaca {
namespace {

constexpr std::int64_t kib = 1 << 10, mib = 1 << 20;
constexpr std::int64_t large_space = std::int64_t{1}
                                     << 60;  // where the large expandable segment begins
using Address = CachingAllocator::Address;

struct Allocator : CachingAllocator {
  using CachingAllocator::CachingAllocator;
  Address take(std::int64_t bytes) { return allocate(bytes).value_or(-1); }
};

AllocatorPolicy plain() {
  return {};
}
AllocatorPolicy expandable() {
  return {true, 0, 0};
}
AllocatorPolicy capacity(std::int64_t bytes) {
  return {false, 0, bytes};
}

TEST(Allocator, RoundsRequestsTo512Bytes) {
  Allocator a(plain());
  EXPECT_EQ(a.take(1), 0);
  EXPECT_EQ(a.take(513), 512);
  EXPECT_EQ(a.take(512), 512 + 1024);
  EXPECT_EQ(a.allocated().now, 512 + 1024 + 512);
  EXPECT_EQ(a.requested().now, 1 + 513 + 512);
}

TEST(Allocator, TakesSegmentsOf2MibFor20MibForAndRoundsLargeOnesTo2Mib) {
  const std::vector<std::pair<std::int64_t, std::int64_t>> segments{
      {1, 2 * mib},         {mib, 2 * mib},
      {mib + 1, 20 * mib},  {10 * mib - 512, 20 * mib},
      {10 * mib, 10 * mib}, {10 * mib + 1, 12 * mib},
      {21 * mib, 22 * mib}};
  for (const auto& [bytes, segment] : segments) {
    Allocator a(plain());
    a.take(bytes);
    EXPECT_EQ(a.reserved().now, segment) << bytes;
  }
}

TEST(Allocator, KeepsSmallAndLargeRequestsApart) {
  Allocator a(plain());
  a.free(a.take(8 * mib));  // a free segment of 20 MiB
  a.take(mib);
  EXPECT_EQ(a.reserved().now, 20 * mib + 2 * mib);
  a.take(mib + 1);
  EXPECT_EQ(a.reserved().now, 20 * mib + 2 * mib);
}

TEST(Allocator, SplitsASmallBlockWhenHalfAKilobyteRemains) {
  Allocator a(plain());
  EXPECT_EQ(a.take(mib), 0);
  EXPECT_EQ(a.take(mib - 512), mib);
  EXPECT_EQ(a.take(512), 2 * mib - 512);
  EXPECT_EQ(a.reserved().now, 2 * mib);
  EXPECT_EQ(a.take(512), 2 * mib);
  EXPECT_EQ(a.reserved().now, 4 * mib);
}

TEST(Allocator, LeavesARemainderOfOneMebibyteToALargeBlock) {
  Allocator a(plain());
  a.take(11 * mib);
  EXPECT_EQ(a.allocated().now, 12 * mib) << "1 MiB remains: not split";
  a.take(11 * mib - 512);
  EXPECT_EQ(a.allocated().now, 12 * mib + 11 * mib - 512) << "512 B more remain: split";
  EXPECT_EQ(a.reserved().now, 24 * mib);
}

TEST(Allocator, ChoosesTheSmallestBlockThatSufficesThenTheLowestAddress) {
  Allocator a(plain());
  const Address big = a.take(30 * mib), first = a.take(14 * mib), second = a.take(14 * mib),
                small = a.take(12 * mib);
  for (const Address at : {big, second, first, small}) a.free(at);
  EXPECT_EQ(a.take(13 * mib), first);
  EXPECT_EQ(a.take(13 * mib), second);
  EXPECT_EQ(a.take(13 * mib), big);
  EXPECT_EQ(a.take(12 * mib), small);
  EXPECT_EQ(a.reserved().now, 70 * mib);
}

TEST(Allocator, MergesFreeNeighboursOfASegment) {
  Allocator a(plain());
  const Address x = a.take(4 * mib), y = a.take(4 * mib), z = a.take(4 * mib);
  a.free(x);
  a.free(z);  // with the 8 MiB behind it
  EXPECT_EQ(a.take(12 * mib), z);
  a.free(z);
  a.free(y);  // with both sides
  EXPECT_EQ(a.take(20 * mib), 0);
  EXPECT_EQ(a.reserved().now, 20 * mib);
}

TEST(Allocator, DoesNotMergeAcrossSegments) {
  Allocator a(plain());
  const Address x = a.take(10 * mib), y = a.take(10 * mib);
  a.free(x);
  a.free(y);
  EXPECT_EQ(a.take(20 * mib), 20 * mib);
  EXPECT_EQ(a.reserved().now, 40 * mib);
}

TEST(MaxSplit, LetsNoRequestFromThereOnSplitABlock) {
  Allocator a({false, 64 * mib, 0});
  a.free(a.take(80 * mib));
  a.take(64 * mib);
  EXPECT_EQ(a.allocated().now, 80 * mib);
}

TEST(MaxSplit, KeepsOversizeBlocksForOversizeRequests) {
  Allocator a({false, 64 * mib, 0});
  a.free(a.take(64 * mib));
  a.take(30 * mib);
  EXPECT_EQ(a.reserved().now, 94 * mib);
  a.take(64 * mib);
  EXPECT_EQ(a.reserved().now, 94 * mib);
}

TEST(MaxSplit, ServesARequestFromABlockLessThan20MibLarger) {
  Allocator a({false, 64 * mib, 0});
  a.free(a.take(100 * mib));
  a.take(80 * mib);
  EXPECT_EQ(a.reserved().now, 180 * mib) << "20 MiB larger";
  a.take(82 * mib);
  EXPECT_EQ(a.reserved().now, 180 * mib) << "18 MiB larger";
}

TEST(MaxSplit, FreesOnlyAsManyOversizeBlocksAsARetryNeeds) {
  Allocator a({false, 64 * mib, 366 * mib});
  std::vector<Address> live;
  for (const std::int64_t bytes : {30 * mib, 70 * mib, 80 * mib, 90 * mib, 96 * mib})
    live.push_back(a.take(bytes));
  for (const Address at : live) a.free(at);
  a.take(50 * mib);
  EXPECT_EQ(a.reserved().now, (30 + 80 + 90 + 96 + 50) * mib) << "the smallest that suffices";
  a.take(160 * mib);
  EXPECT_EQ(a.reserved().now, (30 + 80 + 50 + 160) * mib) << "the largest until they do";
}

TEST(Expandable, GrowsByPagesOf2And20Mib) {
  Allocator a(expandable());
  EXPECT_EQ(a.take(512), 0);
  EXPECT_EQ(a.reserved().now, 2 * mib);
  EXPECT_EQ(a.take(30 * mib), large_space);
  EXPECT_EQ(a.reserved().now, 42 * mib);
  EXPECT_EQ(a.take(20 * mib), large_space + 30 * mib) << "from the 10 MiB left, and a page more";
  EXPECT_EQ(a.reserved().now, 62 * mib);
}

TEST(Expandable, SplitsLargeBlocksDownTo512Bytes) {
  Allocator a(expandable());
  a.take(20 * mib - 512);
  EXPECT_EQ(a.allocated().now, 20 * mib - 512);
}

TEST(Expandable, MergesBlocksThatWereSegmentsOfTheirOwn) {
  Allocator a(expandable());
  const Address x = a.take(20 * mib), y = a.take(20 * mib);
  a.free(x);
  a.free(y);
  EXPECT_EQ(a.take(40 * mib), large_space);
  EXPECT_EQ(a.reserved().now, 40 * mib);
}

TEST(Expandable, PrefersALargerHoleToABlockThatCouldGrow) {
  Allocator a(expandable());
  const Address hole = a.take(16 * mib);
  a.take(14 * mib);  // 10 MiB are left before the unmapped end
  a.free(hole);
  EXPECT_EQ(a.take(8 * mib), hole);
  EXPECT_EQ(a.take(9 * mib), hole + 30 * mib) << "the hole has 8 MiB left";
}

TEST(Retry, FreesUnsplitSegmentsWhenTheDeviceIsFull) {
  Allocator a(capacity(40 * mib));
  const Address whole = a.take(20 * mib);
  const Address half = a.take(4 * mib), rest = a.take(4 * mib);
  a.free(whole);
  a.free(half);
  EXPECT_EQ(a.take(12 * mib), 28 * mib) << "from the cache";
  a.free(28 * mib);
  EXPECT_EQ(a.take(22 * mib), -1) << "20 MiB are free again, the other segment is in use";
  EXPECT_EQ(a.reserved().now, 20 * mib);
  EXPECT_EQ(a.take(20 * mib), 40 * mib);
  a.free(rest);
  EXPECT_EQ(a.reserved().peak, 40 * mib);
}

TEST(Retry, FreesTheSmallPoolToo) {
  Allocator a(capacity(20 * mib));
  a.free(a.take(512));
  EXPECT_NE(a.take(20 * mib), -1);
}

TEST(Retry, UnmapsWholeFreePagesOfAnExpandableSegment) {
  Allocator a({true, 0, 80 * mib});
  const Address x = a.take(10 * mib), y = a.take(50 * mib), z = a.take(10 * mib);
  a.free(y);  // 10 to 60 MiB: two pages whole, two in part
  EXPECT_EQ(a.reserved().now, 80 * mib);
  EXPECT_EQ(a.take(60 * mib), -1);
  EXPECT_EQ(a.reserved().now, 40 * mib);
  EXPECT_EQ(a.take(30 * mib), x + 10 * mib) << "grows from the lowest free block";
  EXPECT_EQ(a.reserved().now, 60 * mib);
  a.free(z);
}

TEST(Retry, EndsOutOfMemoryAndChangesNothingInUse) {
  Allocator a(capacity(20 * mib));
  const Address x = a.take(20 * mib);
  EXPECT_EQ(a.allocate(512), std::nullopt);
  EXPECT_EQ(a.allocated().now, 20 * mib);
  a.free(x);
  EXPECT_NE(a.allocate(512), std::nullopt);
  EXPECT_EQ(a.reserved().now, 2 * mib);
}

/// The same random requests and frees for any policy; `check` after each.
template <class Check>
std::int64_t shuffle(const AllocatorPolicy& policy, int operations, const Check& check) {
  Allocator a(policy);
  std::vector<Address> live;
  std::uint64_t random = 1;
  const auto next = [&] { return random = random * 6364136223846793005u + 1442695040888963407u; };
  for (int i = 0; i < operations; ++i) {
    if (live.size() > 500 || (!live.empty() && (next() >> 40) % 3 == 0)) {
      const std::size_t k = (next() >> 33) % live.size();
      a.free(live[k]);
      live[k] = live.back();
      live.pop_back();
    } else {
      const std::int64_t bytes = 1 + static_cast<std::int64_t>((next() >> 33) % (64u << 20));
      const Address at = a.take((next() >> 40) % 2 == 0 ? bytes : bytes >> 9);
      if (at >= 0) live.push_back(at);
    }
    check(a);
  }
  for (const Address at : live) a.free(at);
  EXPECT_EQ(a.allocated().now, 0);
  EXPECT_EQ(a.requested().now, 0);
  return a.reserved().peak;
}

TEST(Allocator, ReservesNoLessThanIsAllocatedAndAllocatesNoLessThanRequested) {
  for (const AllocatorPolicy& policy :
       {plain(), expandable(), AllocatorPolicy{false, 32 * mib, 0}, capacity(4096 * mib),
        AllocatorPolicy{true, 0, 4096 * mib}, AllocatorPolicy{false, 32 * mib, 4096 * mib}})
    shuffle(policy, 20'000, [&](const Allocator& a) {
      ASSERT_GE(a.reserved().now, a.allocated().now);
      ASSERT_GE(a.allocated().now, a.requested().now);
      if (policy.capacity_bytes > 0) {
        ASSERT_LE(a.reserved().now, policy.capacity_bytes);
      }
    });
}

TEST(Allocator, HasNoSegmentLeftWhenAllIsFreeAndTheDeviceFull) {
  for (const bool grows : {false, true}) {
    Allocator a({grows, 0, 100 * mib});
    std::vector<Address> live;
    for (const std::int64_t bytes : {512 * kib, 3 * mib, 17 * mib, 24 * mib, 700 * kib})
      live.push_back(a.take(bytes));
    for (const Address at : live) a.free(at);
    EXPECT_NE(a.take(100 * mib), -1);
    EXPECT_EQ(a.reserved().now, 100 * mib);
  }
}

}  // namespace
}  // namespace ithaca
