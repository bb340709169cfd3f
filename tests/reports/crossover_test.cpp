#include "reports/crossover.h"

#include "models/catalog.h"
#include "models/error.h"
#include "sim/count.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ithaca {
namespace {

LayerShape shape(std::int64_t d, std::int64_t i, std::int64_t k, std::int64_t g) {
  LayerShape n;
  n.L = 32768;
  n.d = d;
  n.i = i;
  n.k = k;
  n.g = g;
  n.e = 128;
  return n;
}

const LayerShape llama2_7b = shape(4096, 11008, 32, 1);
const LayerShape llama3_8b = shape(4096, 14336, 8, 4);
const LayerShape llama3_70b = shape(8192, 28672, 8, 8);

/// Thousands of tokens, one digit after the point; 0 for never.
double thousands(const Crossover& c) {
  return c.tokens ? std::round(*c.tokens / 100) / 10 : 0;
}

std::vector<double> at_eight_ranks(const LayerShape& n) {
  std::vector<double> all;
  for (const Crossover& c : crossovers(n, 8)) all.push_back(thousands(c));
  return all;
}

// Order: tp_sp and odysseus, ulysses and odysseus, ulysses and tp_sp, ring and tp_sp, ring and
// odysseus.
TEST(Crossovers, AreThosePublishedForLlama) {
  EXPECT_EQ(at_eight_ranks(llama2_7b), (std::vector<double>{19.8, 12.3, 16.5, 37.1, 0}));
  EXPECT_EQ(at_eight_ranks(llama3_8b), (std::vector<double>{25.8, 7.0, 17.0, 18.8, 8.8}));
  EXPECT_EQ(at_eight_ranks(llama3_70b), (std::vector<double>{51.6, 12.5, 33.2, 33.9, 13.0}));
}

TEST(Crossovers, SayWhichSendsLessOnEitherSide) {
  const auto sent = [](const std::string& strategy, std::int64_t L) {
    LayerShape n = llama3_8b;
    n.L = L;
    const Arrangement at = arrange(strategy, default_mesh(strategy, 8, n), n);
    return count(layer_program(n, at.strategy, at.mesh).program).sent_bytes().total();
  };
  for (const Crossover& c : crossovers(llama3_8b, 8)) {
    const std::string& other = c.less_when_longer == c.first ? c.second : c.first;
    ASSERT_TRUE(c.tokens);
    const auto L = static_cast<std::int64_t>(*c.tokens) / 16 * 16;
    EXPECT_LT(sent(c.less_when_longer, L + 16), sent(other, L + 16)) << c.first << c.second;
    EXPECT_GT(sent(c.less_when_longer, L - 16), sent(other, L - 16)) << c.first << c.second;
  }
}

TEST(Crossovers, NeverHappenBetweenRingAndOdysseusWithFullMultiHeadAttention) {
  const Crossover last = crossovers(llama2_7b, 8).back();
  EXPECT_EQ(last.first, "ring_zero3");
  EXPECT_FALSE(last.tokens);
  EXPECT_EQ(last.less_when_longer, "odysseus_zero3");
}

TEST(Crossovers, HalveWithTwiceTheBatch) {
  LayerShape twice = llama2_7b;
  twice.b = 2;
  const auto one = crossovers(llama2_7b, 8), two = crossovers(twice, 8);
  for (std::size_t j = 0; j + 1 < one.size(); ++j)
    EXPECT_NEAR(*one[j].tokens, 2 * *two[j].tokens, 1e-6);
}

TEST(Crossovers, TellWhyAStrategyIsImpossible) {
  LayerShape n = llama2_7b;
  n.k = 14;
  for (const Crossover& c : crossovers(n, 8)) {
    EXPECT_NE(c.error.find("expected 14 heads to divide by the 8 ranks"), std::string::npos);
    EXPECT_FALSE(c.tokens);
  }
}

TEST(SentLine, IsWhatCountGivesAtAnyLength) {
  const SentLine line = sent_line("usp_zero3", llama3_8b, 8);
  const Arrangement at = arrange("usp_zero3", default_mesh("usp_zero3", 8, llama3_8b), llama3_8b);
  const auto sent =
      count(layer_program(llama3_8b, at.strategy, at.mesh).program).sent_bytes().total();
  EXPECT_EQ(line.fixed_bytes + line.bytes_per_token * 32768, static_cast<double>(sent));
}

}  // namespace
}  // namespace ithaca
