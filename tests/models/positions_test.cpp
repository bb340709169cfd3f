#include "models/positions.h"

#include "models/catalog.h"
#include "sim/count.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <random>

namespace ithaca {
namespace {

using Runs = std::vector<Run>;

std::vector<std::int64_t> expand(const Runs& runs) {
  std::vector<std::int64_t> all;
  for (const Run& run : runs)
    for (std::int64_t j = 0; j < run.count; ++j) all.push_back(run.first + j * run.stride);
  return all;
}

std::int64_t brute_pairs(const Runs& q, const Runs& k) {
  std::int64_t pairs = 0;
  for (const std::int64_t a : expand(q))
    for (const std::int64_t b : expand(k)) pairs += b <= a ? 1 : 0;
  return pairs;
}

constexpr std::array deals{Deal::blocks, Deal::zigzag, Deal::stripes};
const Mesh nested = parse_mesh("p=2,r=3,u=4");

Dim tokens(std::int64_t size, std::vector<Cut> cuts) {
  return {DimName::L, size, Cuts(cuts.begin(), cuts.end())};
}

TEST(Positions, BlocksAreContiguous) {
  EXPECT_EQ(positions(tokens(24, {{{2}, Deal::blocks}}), nested, 1), (Runs{{6, 1, 6}}));
}

TEST(Positions, ZigzagPairsASliceWithItsMirror) {
  EXPECT_EQ(positions(tokens(24, {{{2}, Deal::zigzag}}), nested, 1), (Runs{{3, 1, 3}, {18, 1, 3}}));
}

TEST(Positions, StripesTakeEveryNth) {
  EXPECT_EQ(positions(tokens(24, {{{2}, Deal::stripes}}), nested, 1), (Runs{{1, 4, 6}}));
}

TEST(Positions, MinorAxisCutsTheSliceOfTheMajorOne) {
  const Dim dim = tokens(24, {{{1}, Deal::blocks}, {{2}, Deal::blocks}});
  EXPECT_EQ(positions(dim, nested, 1 * 4 + 2), (Runs{{12, 1, 2}}));
  const Dim striped = tokens(24, {{{1}, Deal::stripes}, {{2}, Deal::blocks}});
  EXPECT_EQ(expand(positions(striped, nested, 1 * 4 + 2)), (std::vector<std::int64_t>{13, 16}));
}

TEST(Positions, EveryNestingOfDealsPartitionsTheDim) {
  for (const Deal outer : deals)
    for (const Deal middle : deals)
      for (const Deal inner : deals) {
        const Dim dim = tokens(2 * 6 * 8 * 2, {{{0}, outer}, {{1}, middle}, {{2}, inner}});
        std::vector<std::int64_t> all;
        for (int rank = 0; rank < nested.ranks(); ++rank) {
          const Runs runs = positions(dim, nested, rank);
          EXPECT_EQ(count_of(runs), local_size(dim, nested));
          const auto mine = expand(runs);
          all.insert(all.end(), mine.begin(), mine.end());
        }
        std::ranges::sort(all);
        std::vector<std::int64_t> want(static_cast<std::size_t>(dim.size));
        std::iota(want.begin(), want.end(), 0);
        EXPECT_EQ(all, want) << name_of(outer) << name_of(middle) << name_of(inner);
      }
}

TEST(Positions, RanksThatDifferOnOtherAxesHoldTheSame) {
  const Dim dim = tokens(48, {{{1}, Deal::zigzag}});
  EXPECT_EQ(positions(dim, nested, 4), positions(dim, nested, 4 + 3));
  EXPECT_NE(positions(dim, nested, 4), positions(dim, nested, 8));
}

Runs random_runs(std::mt19937& random) {
  const auto below = [&](unsigned n) { return static_cast<std::int64_t>(random() % n); };
  Runs runs(static_cast<std::size_t>(1 + below(3)));
  for (Run& run : runs) run = {below(60), 1 + below(9), 1 + below(24)};
  return runs;
}

TEST(CausalPairs, EqualBruteForceOnRandomRuns) {
  std::mt19937 random(20240229);
  for (int i = 0; i < 20000; ++i) {
    const Runs q = random_runs(random), k = random_runs(random);
    ASSERT_EQ(causal_pairs(q, k), brute_pairs(q, k)) << "case " << i;
  }
}

TEST(CausalPairs, EqualTheTriangleAtAMillionTokens) {
  const std::int64_t L = std::int64_t{1} << 20;
  EXPECT_EQ(causal_pairs({{0, 1, L}}, {{0, 1, L}}), L * (L + 1) / 2);
  EXPECT_EQ(causal_pairs({{L, 1, L}}, {{0, 1, L}}), L * L);
  EXPECT_EQ(causal_pairs({{0, 1, L}}, {{L, 1, L}}), 0);
}

/// Query-key pairs of the forward of one layer, by rank.
std::vector<std::int64_t> forward_pairs(const std::string& expression, int degree) {
  LayerShape shape = small_shape();
  shape.L = 96;
  const Program p = layer_of(expression, degree, shape, {.backward = false}).program;
  std::vector<std::int64_t> pairs(static_cast<std::size_t>(degree));
  for (int rank = 0; rank < degree; ++rank)
    for (const Step& step : p.steps())
      pairs[static_cast<std::size_t>(rank)] += attention_pairs(p, step, rank);
  return pairs;
}

TEST(CausalWork, OfAPlainRingGrowsByABlockARank) {
  const std::int64_t block = 96 / 8, triangle = block * (block + 1) / 2;
  const std::vector<std::int64_t> pairs = forward_pairs("ring_zero3", 8);
  for (std::int64_t r = 0; r < 8; ++r)
    EXPECT_EQ(pairs[static_cast<std::size_t>(r)], r * block * block + triangle);
}

TEST(CausalWork, OfZigzagIsTheSameOnEveryRank) {
  for (const int n : {2, 4, 8})
    for (const std::int64_t pairs : forward_pairs("ring_zigzag_zero3", n))
      EXPECT_EQ(pairs * n, 96 * 97 / 2);
}

TEST(CausalWork, OfAZigzagHopIsHalfABlock) {
  const Program p = layer_of("ring_zigzag_zero3", 8, small_shape()).program;
  int hops = 0;
  for (const Step& step : p.steps()) {
    const auto* attend = std::get_if<Attend>(&step.op);
    if (attend == nullptr || attend->keys.front().back == 0) continue;
    ++hops;
    for (int rank = 0; rank < 8; ++rank)
      EXPECT_EQ(attention_pairs(p, step, rank), 12 * 12 / 2) << "hop " << attend->keys.front().back;
  }
  EXPECT_EQ(hops, 7);
}

TEST(CausalWork, OfStripesDiffersByAtMostTheDiagonal) {
  const std::int64_t block = 96 / 8;
  const std::vector<std::int64_t> pairs = forward_pairs("ring_stripes_zero3", 8);
  for (std::size_t r = 0; r < 8; ++r) {
    const auto rank = static_cast<std::int64_t>(r);
    EXPECT_EQ(pairs[r],
              8 * block * (block - 1) / 2 + (rank + 1) * block);  // strict or full triangles
  }
}

TEST(CausalWork, OfAllRanksIsThatOfOne) {
  for (const char* name : {"ring_zero3", "ring_zigzag_zero3", "ring_stripes_zero3",
                           "ring_homing_zero3", "kv_gather_zero3", "kv_gather_stripes_zero3"})
    for (const int n : {2, 4, 8}) {
      const auto pairs = forward_pairs(name, n);
      EXPECT_EQ(std::accumulate(pairs.begin(), pairs.end(), std::int64_t{0}), 96 * 97 / 2) << name;
    }
}

}  // namespace
}  // namespace ithaca
