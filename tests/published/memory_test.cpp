// Predictions of memory beside what others measured.  Every error is printed; the targets that are met are claims, those
// that are missed are printed with their figure and held where they are, so that nothing gets worse unseen.
#include "reports/memory_accuracy.h"
#include "reports/memory_accuracy_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace ithaca {
namespace {

const MemoryAccuracy& accuracy() {
  static const MemoryAccuracy all = memory_accuracy(published_rows(published_folder()));
  return all;
}

std::vector<MemoryPrediction> predictions(std::string_view source, std::string_view what) {
  std::vector<MemoryPrediction> found;
  std::ranges::copy_if(accuracy().predictions, std::back_inserter(found),
                       [&](const auto& p) { return p.source == source && p.what == what; });
  return found;
}

void print(const std::vector<MemoryPrediction>& rows) {
  for (const MemoryPrediction& p : rows)
    fmt::print("  {:<72} {:>12.2f} {:>12.2f} {:+7.2f} %\n", p.id, p.measured, p.predicted,
               100 * p.error());
}

TEST(PublishedMemory, OfTheOdysseusBenchmarkOnEightGpusIsWithinTwoPercent) {
  const auto rows = predictions("odysseus", "after forward");
  print(rows);
  std::size_t on_eight = 0;
  for (const MemoryPrediction& p : rows) {
    if (!p.id.ends_with("-8gpu")) continue;
    ++on_eight;
    EXPECT_LE(std::abs(p.error()), 0.02) << p.id;
  }
  EXPECT_GE(on_eight, 16U);
}

double longest(std::string_view id) {
  const auto rows = predictions("alst", "longest");
  const auto it = std::ranges::find(rows, id, &MemoryPrediction::id);
  return it == rows.end() ? 0 : it->predicted;
}

TEST(PublishedMemory, LeversOfAlstLengthenTheSequenceInThePublishedOrder) {
  const char* const ladder[] = {"alst-abl-baseline",    "alst-abl-liger",
                                "alst-abl-liger-ul",    "alst-abl-liger-ul-mlp",
                                "alst-abl-liger-ul-ac", "alst-abl-all"};
  for (std::size_t i = 0; i + 1 < std::size(ladder); ++i)
    EXPECT_LT(longest(ladder[i]), longest(ladder[i + 1])) << ladder[i];
}

// The target is 15 % for each row; what it is short of stands in reports/accuracy_memory.md.
TEST(PublishedMemory,
     LongestSequencesOfAlstAreWithinFifteenPercentForMostRowsWhichGuardsAgainstWorse) {
  const auto rows = predictions("alst", "longest");
  print(rows);
  const auto within = std::ranges::count_if(
      rows, [](const MemoryPrediction& p) { return std::abs(p.error()) <= 0.15; });
  fmt::print("  {} of {} within the target of 15 %\n", within, rows.size());
  EXPECT_GE(within, 23);
}

TEST(PublishedMemory, AllocatedPeaksOfMegatronLmOnB200AreWithinTwoPercent) {
  const auto rows = predictions("simumax", "allocated peak");
  print(rows);
  EXPECT_GE(rows.size(), 10U);
  for (const MemoryPrediction& p : rows) EXPECT_LE(std::abs(p.error()), 0.02) << p.id;
}

// The target is 90 %.
TEST(PublishedMemory, RanOrOutOfMemoryIsRightForNineOfTenRows) {
  for (const MemoryDecision& d : accuracy().decisions)
    if (!d.right())
      fmt::print("  {:<72} {} GiB {:.1f} of {:.1f}\n", d.id, d.ran ? "ran" : "out of memory",
                 d.need_gib, d.capacity_gib);
  const DecisionCounts c = decisions(accuracy());
  fmt::print("  {} of {} right, target 90 %\n", c.right(), c.all());
  EXPECT_GE(c.all(), 160U);
  EXPECT_GE(static_cast<double>(c.right()), 0.90 * static_cast<double>(c.all()));
}

TEST(PublishedMemory, EveryRowThatSpeaksOfMemoryIsPredictedOrHasAReason) {
  std::vector<std::string> ids;
  for (const auto& p : accuracy().predictions) ids.push_back(p.id);
  for (const auto& d : accuracy().decisions) ids.push_back(d.id);
  for (const auto& u : accuracy().unmodelled) {
    EXPECT_FALSE(u.reason.empty()) << u.id;
    ids.push_back(u.id);
  }
  for (const PublishedRow& row : published_rows(published_folder())) {
    const bool speaks = row.metric("peak_mem_gib") || row.metric("mem_allocated_gib") ||
                        row.metric("max_seq_len") || row.oom;
    if (speaks) {
      EXPECT_TRUE(std::ranges::find(ids, row.id) != ids.end()) << row.id;
    }
  }
  fmt::print("{}", memory_summary(accuracy()));
}

}  // namespace
}  // namespace ithaca
