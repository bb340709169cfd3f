#include "reports/verdict.h"

#include "reports/strategy_table.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

namespace ithaca {
namespace {

LayerShape llama2_7b() {
  LayerShape n;
  n.L = 32768;
  n.d = 4096;
  n.i = 11008;
  n.k = 32;
  n.g = 1;
  n.e = 128;
  return n;
}

std::vector<Judgement> of(const StrategyTable& table, const std::string& strategy) {
  for (const TableRow& row : table.rows)
    if (row.strategy == strategy) return row.published;
  return {};
}

Judgement find(const StrategyTable& table, const std::string& strategy, std::string_view which,
               PublishedColumn column) {
  for (const Judgement& j : of(table, strategy))
    if (j.published.table == which && j.published.column == column) return j;
  throw std::logic_error("no such entry");
}

/// Calls, volume, weight calls, weight volume, saved, weights at rest: r, f, s or w.
std::string verdicts(const StrategyTable& table, const std::string& strategy,
                     std::string_view which) {
  constexpr const char* letters = "rfsw";
  std::string text;
  for (const Judgement& j : of(table, strategy))
    if (j.published.table == which) text += letters[static_cast<std::size_t>(j.verdict)];
  return text;
}

// The verdicts that a derivation by hand gives (collectives listed one by one from the source of
// Megatron-LM, DeepSpeed, TransformerEngine and the repository itself).
TEST(Verdicts, AgreeWithTheDerivationByHand) {
  const StrategyTable t = strategy_table({"llama-2-7b", llama2_7b(), 8});
  EXPECT_EQ(verdicts(t, "tp", "old"), "ffrrwr");
  EXPECT_EQ(verdicts(t, "tp", "new"), "frrrwr");
  EXPECT_EQ(verdicts(t, "tp_sp", "old"), "wfrrrr");
  EXPECT_EQ(verdicts(t, "tp_sp", "new"), "srrrrr");
  EXPECT_EQ(verdicts(t, "ulysses_zero3", "old"), "fwwwrr");
  EXPECT_EQ(verdicts(t, "ulysses_zero3", "new"), "rrrwrr");
  EXPECT_EQ(verdicts(t, "ring_zero3", "old"), "");
  EXPECT_EQ(verdicts(t, "ring_zero3", "new"), "rwrwrr");
  EXPECT_EQ(verdicts(t, "ring_homing_zero3", "new"), "rwrwrr");
  EXPECT_EQ(verdicts(t, "odysseus_zero3", "old"), "wfwwrr");
  EXPECT_EQ(verdicts(t, "odysseus_zero3", "new"), "srrwrr");
  EXPECT_EQ(verdicts(t, "kv_gather_zero3", "new"), "");
}

TEST(Verdicts, GiveReasons) {
  using enum PublishedColumn;
  const StrategyTable t = strategy_table({"llama-2-7b", llama2_7b(), 8});
  EXPECT_EQ(find(t, "ulysses_zero3", "old", activation_volume).reason,
            "the forward pass alone, and without its 1/N");
  EXPECT_EQ(find(t, "tp_sp", "old", activation_label).reason,
            "leaves out what the backward gathers again");
  EXPECT_EQ(find(t, "tp_sp", "new", activation_label).counted, "6AG+4RS");
  EXPECT_EQ(find(t, "odysseus_zero3", "new", weight_volume).reason,
            "a number of parameters, not traffic: they travel 3 times");
  EXPECT_TRUE(
      find(t, "ring_zero3", "new", activation_volume)
          .reason.starts_with("1.5 times as much is sent; three turns of width c pass the ring"));
  EXPECT_EQ(find(t, "tp", "new", activation_memory).reason,
            "0.25 of it is whole on every rank, the rest is split");
}

TEST(Verdicts, FollowTheShape) {
  using enum PublishedColumn;
  LayerShape grouped = llama2_7b();
  grouped.k = 8;
  grouped.g = 4;
  const StrategyTable t = strategy_table({"", grouped, 8});
  const Judgement volume = find(t, "ulysses_zero3", "new", activation_volume);
  EXPECT_EQ(volume.verdict, Verdict::wrong) << "8O(Ld)/N counts K and V as wide as Q";
  EXPECT_EQ(volume.reason, "0.625 times as much is sent");
  EXPECT_EQ(find(t, "odysseus_zero3", "new", activation_volume).verdict, Verdict::right);
  EXPECT_TRUE(find(t, "ring_zero3", "new", activation_volume)
                  .reason.starts_with("0.375 times as much is sent; "));
}

TEST(Verdicts, DoNotHoldTheHiddenFactorAgainstAnEntry) {
  for (const int degree : {2, 4, 16}) {
    const StrategyTable t = strategy_table({"", llama2_7b(), degree});
    EXPECT_EQ(verdicts(t, "odysseus_zero3", "new"), "srrwrr") << degree;
    EXPECT_EQ(verdicts(t, "ulysses_zero3", "new"), "rrrwrr") << degree;
  }
}

TEST(Verdicts, AreNotGivenForOneRank) {
  for (const TableRow& row : strategy_table({"", llama2_7b(), 1}).rows)
    EXPECT_TRUE(row.published.empty());
}

}  // namespace
}  // namespace ithaca
