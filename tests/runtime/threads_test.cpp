#include "models/error.h"
#include "runtime/threads/thread_communicator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>

namespace ithaca {
namespace {

using Doubles = std::vector<double>;

const std::byte* bytes(const Doubles& x) {
  return reinterpret_cast<const std::byte*>(x.data());
}
std::byte* bytes(Doubles& x) {
  return reinterpret_cast<std::byte*>(x.data());
}

Group everyone(const Communicator& c) {
  Group group;
  group.ranks.resize(static_cast<std::size_t>(c.ranks()));
  std::iota(group.ranks.begin(), group.ranks.end(), 0);
  group.me = c.rank();
  return group;
}

std::int64_t total(const std::vector<std::int64_t>& sent) {
  return std::accumulate(sent.begin(), sent.end(), std::int64_t{0});
}

constexpr std::int64_t chunk = 5;  // elements
constexpr std::int64_t chunk_bytes = chunk * 8;

double number(int rank, std::int64_t i) {
  return 1000 * rank + static_cast<double>(i);
}

Doubles numbers(int rank, std::int64_t n) {
  Doubles x;
  for (std::int64_t i = 0; i < n; ++i) x.push_back(number(rank, i));
  return x;
}

TEST(Threads, AllGatherGivesChunksInGroupOrder) {
  for (const int n : {1, 2, 3, 8, 16})
    run_ranks(n, [n](ThreadCommunicator& c) {
      Doubles all(static_cast<std::size_t>(n * chunk));
      c.all_gather(everyone(c), bytes(numbers(c.rank(), chunk)), bytes(all), chunk_bytes, 1);
      for (int r = 0; r < n; ++r)
        for (std::int64_t i = 0; i < chunk; ++i)
          EXPECT_EQ(all[static_cast<std::size_t>(r * chunk + i)], number(r, i));
      EXPECT_EQ(total(c.sent_bytes()), (n - 1) * chunk_bytes);
    });
}

TEST(Threads, ReduceScatterSumsAndLeavesItsOperand) {
  for (const int n : {1, 2, 3, 8, 16})
    run_ranks(n, [n](ThreadCommunicator& c) {
      const Doubles mine = numbers(c.rank(), n * chunk);
      Doubles sum(static_cast<std::size_t>(chunk));
      c.reduce_scatter(everyone(c), DType::f64, bytes(mine), bytes(sum), chunk, 1);
      for (std::int64_t i = 0; i < chunk; ++i) {
        double expected = 0;
        for (int r = 0; r < n; ++r) expected += number(r, c.rank() * chunk + i);
        EXPECT_EQ(sum[static_cast<std::size_t>(i)], expected);
      }
      EXPECT_EQ(mine, numbers(c.rank(), n * chunk));
      EXPECT_EQ(total(c.sent_bytes()), (n - 1) * chunk_bytes);
    });
}

TEST(Threads, AllReduceGivesTheSameBitsToAll) {
  const int n = 7;
  std::vector<Doubles> results(n);
  run_ranks(n, [&](ThreadCommunicator& c) {
    Doubles x = numbers(c.rank(), n * chunk);
    for (double& value : x) value = 1 / (value + 3);
    c.all_reduce(everyone(c), DType::f64, bytes(x), chunk, 1);
    EXPECT_EQ(total(c.sent_bytes()), 2 * (n - 1) * chunk_bytes);
    results[static_cast<std::size_t>(c.rank())] = std::move(x);
  });
  for (const Doubles& other : results) EXPECT_EQ(other, results[0]);
  double expected = 0;
  for (int r = 0; r < n; ++r) expected += 1 / (number(r, 11) + 3);
  EXPECT_NEAR(results[0][11], expected, 1e-14);
}

TEST(Threads, AllToAllTransposesWithinEachGroup) {
  // Two groups at once: even and odd ranks.
  run_ranks(8, [](ThreadCommunicator& c) {
    const Group group{
        c.rank() % 2 == 0 ? std::vector<int>{0, 2, 4, 6} : std::vector<int>{1, 3, 5, 7},
        c.rank() / 2};
    const Doubles mine = numbers(c.rank(), 4 * chunk);
    Doubles got(static_cast<std::size_t>(4 * chunk));
    c.all_to_all(group, bytes(mine), bytes(got), chunk_bytes, 1);
    for (int p = 0; p < 4; ++p)
      for (std::int64_t i = 0; i < chunk; ++i)
        EXPECT_EQ(got[static_cast<std::size_t>(p * chunk + i)],
                  number(group.ranks[static_cast<std::size_t>(p)], group.me * chunk + i));
    for (int r = 0; r < 8; ++r) {
      const bool peer = r % 2 == c.rank() % 2 && r != c.rank();
      EXPECT_EQ(c.sent_bytes()[static_cast<std::size_t>(r)], peer ? chunk_bytes : 0);
    }
  });
}

TEST(Threads, ShiftSendsOneMessageEitherWay) {
  for (const int n : {1, 2, 5})
    for (const int by : {1, -1, 2})
      run_ranks(n, [n, by](ThreadCommunicator& c) {
        const Doubles a = numbers(c.rank(), 3), b = numbers(c.rank(), 4);
        Doubles a2(3), b2(4);
        const std::vector<Parcel> parcels{{bytes(a), bytes(a2), 24}, {bytes(b), bytes(b2), 32}};
        c.shift(everyone(c), parcels, by, 1);
        const int from = ((c.rank() - by) % n + n) % n;
        EXPECT_EQ(a2, numbers(from, 3));
        EXPECT_EQ(b2, numbers(from, 4));
        EXPECT_EQ(total(c.sent_bytes()), by % n == 0 ? 0 : 56);
      });
}

TEST(Threads, SumsInEveryDType) {
  std::vector<float> a{1.5F, 2}, b{0.25F, 3};
  add_elements(DType::f32, reinterpret_cast<const std::byte*>(a.data()),
               reinterpret_cast<std::byte*>(b.data()), 2);
  EXPECT_EQ(b, (std::vector<float>{1.75F, 5}));
  // bf16: 1 + 2^-8 lies half way between neighbours and goes to the even one, 1; 1 + 3 * 2^-8 goes
  // up.
  std::vector<std::uint16_t> x{0x3b80, 0x3c40}, one{0x3f80, 0x3f80};
  add_elements(DType::bf16, reinterpret_cast<const std::byte*>(x.data()),
               reinterpret_cast<std::byte*>(one.data()), 2);
  EXPECT_EQ(one, (std::vector<std::uint16_t>{0x3f80, 0x3f82}));
}

TEST(Threads, AnErrorOnOneRankEndsAllWithThatError) {
  std::atomic<int> ended = 0;
  const auto work = [&](ThreadCommunicator& c) {
    try {
      if (c.rank() == 2) throw InputError("x", "expected something else");
      Doubles all(static_cast<std::size_t>(4 * chunk));
      c.all_gather(everyone(c), bytes(numbers(c.rank(), chunk)), bytes(all), chunk_bytes, 1);
    } catch (const EnvironmentError& error) {
      EXPECT_STREQ(error.what(), "rank 2: x: expected something else");
      ++ended;
      throw;
    }
  };
  EXPECT_THROW(run_ranks(4, work), InputError);
  EXPECT_EQ(ended, 3);
}

TEST(Threads, AnErrorAfterTheCallAlsoEndsLaterWaits) {
  const auto work = [&](ThreadCommunicator& c) {
    if (c.rank() == 0) throw std::runtime_error("early");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    c.agree(1);
  };
  EXPECT_THROW(run_ranks(3, work), std::runtime_error);
}

TEST(Threads, RefusesToRunDifferentPrograms) {
  std::atomic<int> refused = 0;
  const auto work = [&](ThreadCommunicator& c) {
    c.agree(17);
    try {
      c.agree(c.rank() == 1 ? 5 : 6);
    } catch (const EnvironmentError&) {
      ++refused;
      throw;
    }
  };
  EXPECT_THROW(run_ranks(3, work), EnvironmentError);
  EXPECT_EQ(refused, 3);
}

TEST(Threads, APeerThatNeverComesIsAnErrorThatNamesIt) {
  const auto work = [&](ThreadCommunicator& c) {
    if (c.rank() == 1) return;
    Doubles all(static_cast<std::size_t>(2 * chunk));
    c.all_gather(everyone(c), bytes(numbers(c.rank(), chunk)), bytes(all), chunk_bytes, 1);
  };
  try {
    run_ranks(2, work, 0.05);
    FAIL() << "expected an EnvironmentError";
  } catch (const EnvironmentError& error) {
    EXPECT_STREQ(error.what(), "rank 0 waited 0.05 s for rank 1, which is stuck or lost");
  }
}

TEST(Threads, RefusesMessagesOfDifferentLengths) {
  const auto work = [&](ThreadCommunicator& c) {
    Doubles all(static_cast<std::size_t>(4 * chunk)), mine = numbers(c.rank(), 2 * chunk);
    c.all_gather(everyone(c), bytes(mine), bytes(all), chunk_bytes * (1 + c.rank()), 1);
  };
  EXPECT_THROW(run_ranks(2, work), EnvironmentError);
}

}  // namespace
}  // namespace ithaca
