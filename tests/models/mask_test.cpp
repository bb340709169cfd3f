#include "models/mask.h"

#include "models/positions.h"
#include "sim/count.h"
#include "tests/masks.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace ithaca {
namespace {

using Runs = std::vector<Run>;

Mask parsed(const std::string& text, std::int64_t L) {
  return parse_mask(text, L, {}, "--mask");
}
std::string refusal(const std::string& text, std::int64_t L) {
  try {
    parsed(text, L);
  } catch (const InputError& e) {
    return e.what();
  }
  return "accepted";
}
std::vector<std::int64_t> lengths_of(const Mask& mask) {
  std::vector<std::int64_t> lengths(mask.document_bounds());
  std::adjacent_difference(lengths.begin(), lengths.end(), lengths.begin());
  lengths.erase(lengths.begin());
  return lengths;
}

// ---- Text ------------------------------------------------------------------------------------------------

TEST(MaskText, ComesBackAsItWas) {
  for (const char* const text :
       {"full", "causal", "window:4096", "fixed:16,4,1", "strided:16,4,8", "documents:8192",
        "documents:1,8190,1", "documents:mean=100,spread=0.5,seed=7"}) {
    EXPECT_EQ(to_string(parsed(text, 8192)), text);
    EXPECT_EQ(parsed(to_string(parsed(text, 8192)), 8192), parsed(text, 8192));
  }
}

TEST(MaskText, CountsTokensAsLengthsAreCounted) {
  EXPECT_EQ(parsed("window:4k", 8192), Mask::window(4096));
  EXPECT_EQ(parsed("documents:4k,2k,2k", 8192), Mask::documents({4096, 2048, 2048}));
  EXPECT_EQ(to_string(parsed("documents:mean=1k", 8192)), "documents:mean=1024,spread=1,seed=1");
}

TEST(MaskText, OfOtherMasksDiffers) {
  EXPECT_NE(parsed("window:5", 8), parsed("window:6", 8));
  EXPECT_NE(parsed("fixed:4,2,1", 8), parsed("strided:4,2,1", 8));
  EXPECT_NE(parsed("documents:4,4", 8), parsed("documents:3,5", 8));
  EXPECT_NE(parsed("documents:8", 8), Mask());
}

TEST(MaskText, RefusesEverythingElseWithTheFormItShouldHave) {
  EXPECT_EQ(refusal("cusal", 8),
            "--mask: expected full, causal, window, fixed, strided, documents, got \"cusal\", did "
            "you mean \"causal\"?");
  for (const char* const text : {"window", "window:", "window:0", "window:4,4", "window:-1"})
    EXPECT_EQ(refusal(text, 8),
              fmt::format("--mask: expected window:TOKENS such as window:4096, got \"{}\"", text));
  for (const char* const text : {"causal:",
                                 "causal:4",
                                 "full:1",
                                 "fixed:16,4",
                                 "fixed:16,4,5",
                                 "fixed:16,0,0",
                                 "fixed:2M,1,1",
                                 "strided:16,4",
                                 "strided:16,4,0",
                                 "strided:16,1.5,1",
                                 "documents",
                                 "documents:",
                                 "documents:4,,4",
                                 "documents:4,mean=4",
                                 "documents:spread=1",
                                 "documents:mean=0",
                                 "documents:mean=4,spread=-1",
                                 "documents:mean=4,spread=nan",
                                 "documents:mean=4,sed=1",
                                 "documents:mean=4,"}) {
    EXPECT_TRUE(refusal(text, 8).starts_with("--mask: expected ")) << refusal(text, 8);
    EXPECT_TRUE(refusal(text, 8).ends_with(fmt::format("got \"{}\"", text))) << refusal(text, 8);
  }
}

TEST(MaskText, RefusesDocumentsThatDoNotFillTheSequence) {
  EXPECT_EQ(refusal("documents:4,3", 8),
            "--mask: expected documents of 8 tokens together, got 7, change a length or use "
            "documents:mean=TOKENS");
}

TEST(MaskText, RefusesMorePartsThanCanBeCounted) {
  EXPECT_EQ(
      refusal("fixed:1,1,1", std::int64_t{1} << 30),
      "--mask: expected at most 16777216 blocks, got 1073741824 of 1 tokens, use larger ones");
  EXPECT_EQ(refusal("documents:mean=1", std::int64_t{1} << 30),
            "--mask: expected at most 16777216 documents, got 1073741824 tokens in documents of 1, "
            "use a larger mean");
}

TEST(MaskText, OfAPlaceNamesIt) {
  try {
    parse_mask("wave", 8, {"plan.yaml", 3, 7}, "layer.mask");
    FAIL();
  } catch (const InputError& e) {
    EXPECT_TRUE(std::string(e.what()).starts_with("plan.yaml:3:7: layer.mask: expected"));
  }
}

// ---- Drawn documents -------------------------------------------------------------------------------------

TEST(DrawnDocuments, FillTheSequenceAndAreTheSameAgain) {
  for (const char* const text : {"documents:mean=100", "documents:mean=100,seed=2",
                                 "documents:mean=100,spread=0", "documents:mean=10000"}) {
    const Mask mask = parsed(text, 4999);
    EXPECT_EQ(mask.document_bounds().back(), 4999) << text;
    for (const std::int64_t length : lengths_of(mask)) EXPECT_GE(length, 1);
    EXPECT_EQ(mask, parsed(text, 4999));
  }
  EXPECT_NE(parsed("documents:mean=100,seed=2", 4999).document_bounds(),
            parsed("documents:mean=100,seed=3", 4999).document_bounds());
}

TEST(DrawnDocuments, WithoutSpreadAreEqualAndTheLastIsCut) {
  EXPECT_EQ(lengths_of(parsed("documents:mean=4,spread=0", 10)),
            (std::vector<std::int64_t>{4, 4, 2}));
}

TEST(DrawnDocuments, HaveTheMeanAndTheSpreadAsked) {
  const std::vector<std::int64_t> lengths = lengths_of(parsed("documents:mean=4000", 1 << 27));
  const auto n = static_cast<double>(lengths.size());
  double log_sum = 0, log_squares = 0;
  for (const std::int64_t length : lengths) {
    const double x = std::log(static_cast<double>(length));
    log_sum += x, log_squares += x * x;
  }
  EXPECT_NEAR((1 << 27) / n / 4000, 1, 0.05);
  EXPECT_NEAR(std::sqrt(log_squares / n - log_sum / n * log_sum / n), 1, 0.05);
}

TEST(DrawnDocuments, AreDrawnAgainForAnotherLength) {
  const Mask mask = parsed("documents:mean=10", 100);
  EXPECT_EQ(mask.on(77, "--seq"), parsed("documents:mean=10", 77));
  EXPECT_EQ(Mask::window(3).on(77, "--seq"), Mask::window(3));
  EXPECT_THROW(Mask::documents({50, 50}).on(77, "--seq"), InputError);
}

// ---- What is seen, and how many pairs --------------------------------------------------------------------

TEST(MaskedKeys, AreThoseOfTheDefinition) {
  for (const std::int64_t L : {5, 24, 61})
    for (const DefinedMask& m : masks_of(L))
      for (std::int64_t q = 0; q < L; ++q) {
        std::vector<KeyRange> expected;
        for (std::int64_t k = 0; k < L; ++k) {
          if (!m.sees(q, k)) continue;
          if (expected.empty() || expected.back().end != k) expected.push_back({k, k});
          expected.back().end = k + 1;
        }
        EXPECT_EQ(m.mask.seen_by(q, L), expected) << to_string(m.mask) << ' ' << L << ' ' << q;
      }
}

std::vector<std::int64_t> expand(const Runs& runs) {
  std::vector<std::int64_t> all;
  for (const Run& run : runs)
    for (std::int64_t j = 0; j < run.count; ++j) all.push_back(run.first + j * run.stride);
  return all;
}

std::int64_t brute_pairs(const Sees& sees, const Runs& q, const Runs& k) {
  std::int64_t pairs = 0;
  for (const std::int64_t a : expand(q))
    for (const std::int64_t b : expand(k)) pairs += sees(a, b) ? 1 : 0;
  return pairs;
}

TEST(MaskedPairs, EqualBruteForceOverAllDealsAndRanks) {
  const Mesh mesh({{"r", 3}, {"u", 2}});
  for (const Deal outer : {Deal::blocks, Deal::zigzag, Deal::stripes})
    for (const Deal inner : {Deal::blocks, Deal::zigzag, Deal::stripes}) {
      const Dim dim{DimName::L, 72, {{{0}, outer}, {{1}, inner}}};
      for (const DefinedMask& m : masks_of(dim.size))
        for (int i = 0; i < mesh.ranks(); ++i)
          for (int j = 0; j < mesh.ranks(); ++j) {
            const Runs q = positions(dim, mesh, i), k = positions(dim, mesh, j);
            ASSERT_EQ(pairs(m.mask, q, k), brute_pairs(m.sees, q, k))
                << to_string(m.mask) << ' ' << name_of(outer) << ' ' << name_of(inner) << ' ' << i
                << ' ' << j;
          }
    }
}

TEST(MaskedPairs, EqualBruteForceOnRandomRuns) {
  std::mt19937 random(20240301);
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<unsigned>(n));
  };
  const auto random_runs = [&] {
    Runs runs(static_cast<std::size_t>(1 + below(3)));
    for (ithaca::Run& run : runs) run = {below(60), 1 + below(9), below(16)};
    return runs;
  };
  for (int i = 0; i < 300; ++i) {
    const Runs q = random_runs(), k = random_runs();
    for (const DefinedMask& m : masks_of(200))
      ASSERT_EQ(pairs(m.mask, q, k), brute_pairs(m.sees, q, k)) << i << ' ' << to_string(m.mask);
  }
}

TEST(MaskedPairs, NeverFallWhenAMaskWidens) {
  const Runs all{{0, 1, 300}}, q{{3, 2, 90}, {200, 1, 50}}, k{{0, 3, 80}, {150, 1, 70}};
  for (const auto& [a, b] : {std::pair{q, k}, std::pair{all, all}, std::pair{k, q}}) {
    std::int64_t before = 0;
    for (std::int64_t w = 1; w <= 300; ++w) {
      const std::int64_t now = pairs(Mask::window(w), a, b);
      EXPECT_GE(now, before);
      before = now;
    }
    EXPECT_EQ(before, pairs(Mask(), a, b));
    EXPECT_LE(before, pairs(Mask::full(), a, b));
    EXPECT_EQ(pairs(Mask::documents({300}), a, b), pairs(Mask(), a, b));
    EXPECT_LE(pairs(Mask::documents({100, 200}), a, b), pairs(Mask(), a, b));
    EXPECT_LE(pairs(Mask::documents({100, 120, 80}), a, b),
              pairs(Mask::documents({100, 200}), a, b));
    EXPECT_LE(pairs(Mask::fixed(10, 4, 1), a, b), pairs(Mask::fixed(10, 4, 2), a, b));
    EXPECT_EQ(pairs(Mask::fixed(10, 4, 4), a, b), pairs(Mask(), a, b));
    EXPECT_EQ(pairs(Mask::strided(10, 4, 1), a, b), pairs(Mask(), a, b));
  }
}

TEST(MaskedPairs, OfMillionsOfTokensAreCountedInClosedForm) {
  const std::int64_t L = std::int64_t{1} << 24, w = 4096;
  const Runs all{{0, 1, L}};
  EXPECT_EQ(pairs(Mask::window(w), all, all), w * (w + 1) / 2 + (L - w) * w);
  EXPECT_EQ(pairs(parsed("documents:mean=4k,spread=0", L), all, all), L / w * (w * (w + 1) / 2));
  // A window of 2048 tokens is causal; each sees 512 of every earlier one.
  const std::int64_t windows = L / 2048;
  EXPECT_EQ(pairs(Mask::fixed(128, 16, 4), all, all),
            windows * (2048 * 2049 / 2) + windows * (windows - 1) / 2 * 2048 * 512);
  EXPECT_EQ(pairs(Mask::strided(128, 1, 16), all, all), [&] {
    std::int64_t sum = L / 128 * (128 * 129 / 2);
    for (std::int64_t n = 0; n < L / 128; ++n) sum += n / 16 * 128 * 128;
    return sum;
  }());
}

// ---- Layers ----------------------------------------------------------------------------------------------

TEST(MaskedWork, OfAllRanksIsThatOfOne) {
  for (const DefinedMask& m : masks_of(96))
    for (const Case& c : all_cases()) {
      LayerShape shape = small_shape();
      shape.mask = m.mask;
      const Program p = layer_of(c, shape).program;
      std::int64_t sum = 0;
      for (int rank = 0; rank < p.mesh().ranks(); ++rank) sum += count(p, rank).attention_flops;
      EXPECT_EQ(sum, count(one_rank(shape).program).attention_flops)
          << to_string(m.mask) << ' ' << c.expression << ' ' << c.mesh;
    }
}

TEST(MaskedWork, ChangesNothingThatIsSent) {
  for (const Case& c : all_cases()) {
    LayerShape shape = small_shape();
    const std::int64_t sent = count(layer_of(c, shape).program).sent_bytes().total();
    shape.mask = Mask::window(7);
    EXPECT_EQ(count(layer_of(c, shape).program).sent_bytes().total(), sent) << c.expression;
  }
}

TEST(MaskedWork, LoadsTheBusiestRankAsTheDealSays) {
  LayerShape shape = small_shape();
  const auto imbalance = [&](const char* strategy, const Mask& mask) {
    shape.mask = mask;
    return attention_load(layer_of(strategy, 4, shape).program).imbalance();
  };
  EXPECT_DOUBLE_EQ(imbalance("ulysses_zero3", Mask::window(5)), 1);
  EXPECT_DOUBLE_EQ(imbalance("ring_zero3", Mask::full()), 1);
  EXPECT_DOUBLE_EQ(imbalance("ring_zigzag_zero3", Mask()), 1);
  // Blocks of 24: the last rank has 3 24^2 + 24 25 / 2 of 96 97 / 2 pairs.
  EXPECT_DOUBLE_EQ(imbalance("ring_zero3", Mask()), (3 * 576 + 300) / (96 * 97 / 8.0));
  EXPECT_DOUBLE_EQ(imbalance("ring_zero3", Mask::documents({24, 24, 24, 24})), 1);
  // One long document on the first half, blocks of zigzag 12: ranks hold one slice of it each.
  EXPECT_GT(imbalance("ring_zigzag_zero3", Mask::documents({48, 12, 12, 12, 12})), 1.2);
  EXPECT_LT(imbalance("ring_stripes_zero3", Mask::documents({48, 12, 12, 12, 12})), 1.2);
}

TEST(MaskedWork, OfDocumentsOfAnotherLengthIsATypeError) {
  LayerShape shape = small_shape();
  shape.mask = Mask::documents({50, 50});
  EXPECT_THROW(one_rank(shape), TypeError);
}

TEST(MaskedShape, OfAnotherLengthHasTheSameMask) {
  LayerShape shape = small_shape();
  shape.mask = parsed("documents:mean=10", shape.L);
  EXPECT_EQ(with_tokens(shape, 50).mask.document_bounds().back(), 50);
  shape.mask = Mask::documents({96});
  EXPECT_THROW(with_tokens(shape, 50), InputError);
}

}  // namespace
}  // namespace ithaca
