#include "reports/strategy_table.h"

#include "models/catalog.h"
#include "models/error.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

LayerShape shape(std::int64_t k, std::int64_t g) {
  LayerShape n;
  n.L = 4096;
  n.d = 1024;
  n.i = 4096;
  n.k = k;
  n.g = g;
  n.e = 64;
  return n;
}

TableRow row(const StrategyTable& table, const std::string& strategy) {
  for (const TableRow& r : table.rows)
    if (r.strategy == strategy) return r;
  return {};
}

TEST(StrategyTable, HasEveryPublishedStrategyInOrder) {
  const StrategyTable table = strategy_table({"m", shape(16, 1), 8});
  std::vector<std::string> names;
  for (const TableRow& r : table.rows) {
    EXPECT_EQ(r.error, "");
    names.push_back(r.strategy);
  }
  EXPECT_EQ(names, published_strategies());
}

TEST(StrategyTable, LabelsAreThoseOfThePapers) {
  const StrategyTable table = strategy_table({"m", shape(16, 1), 8});
  const auto labels = [&](const std::string& strategy) {
    const LayerFacts facts = row(table, strategy).facts;
    return label(facts.forward) + " " + label(facts.backward) + " " + label(facts.each_weight);
  };
  EXPECT_EQ(labels("tp"), "2AR 2AR -");
  EXPECT_EQ(labels("tp_sp"), "2AG+2RS 4AG+2RS -");
  EXPECT_EQ(labels("ulysses_zero3"), "4A2A 4A2A 2AG+1RS");
  EXPECT_EQ(labels("ring_zero3"), "7P2P 14P2P 2AG+1RS");
  EXPECT_EQ(labels("ring_homing_zero3"), "7P2P 15P2P 2AG+1RS");
  EXPECT_EQ(labels("kv_gather_zero3"), "2AG 2AG+2RS 2AG+1RS");
  EXPECT_EQ(labels("usp_zero3"), "4A2A+1P2P 4A2A+2P2P 2AG+1RS");
  EXPECT_EQ(labels("odysseus_zero3"), "1AG+1RS 2AG+1RS 2AG+1RS");
}

TEST(StrategyTable, MemoryClassComesFromSavedBytes) {
  const StrategyTable table = strategy_table({"m", shape(16, 1), 8});
  EXPECT_EQ(text_of(row(table, "ring_zero3").facts.saved), "1/N");
  const Share ulysses = row(table, "ulysses_zero3").facts.saved;
  const Share ring = row(table, "ring_zero3").facts.saved;
  const LayerShape n = shape(16, 1);
  EXPECT_EQ(ulysses.local_bytes - ring.local_bytes, 2 * n.L * n.a() / 8) << "a second copy of o";
  const Share tp = row(table, "tp").facts.saved;
  EXPECT_EQ(tp.copied_bytes, 4 * 2 * n.L * n.d) << "both inputs of norms and both their outputs";
  EXPECT_EQ(8 * (tp.local_bytes - tp.copied_bytes), tp.one_rank_bytes - tp.copied_bytes);
}

TEST(StrategyTable, KeepsRowsThatAreImpossible) {
  const StrategyTable table = strategy_table({"m", shape(2, 7), 8});
  EXPECT_NE(row(table, "tp").error.find("expected 14 heads to divide by the 8 ranks"),
            std::string::npos);
  EXPECT_EQ(row(table, "tp").count.events.size(), 0U);
  EXPECT_EQ(row(table, "ring_zero3").error, "");
  EXPECT_EQ(table.rows.size(), published_strategies().size());
}

TEST(StrategyTable, TakesTheShareOfUlysses) {
  const TableRow usp = row(strategy_table({"m", shape(16, 1), 8, 2}), "usp_zero3");
  EXPECT_EQ(usp.degrees.ulysses, 2);
  EXPECT_EQ(usp.degrees.ring, 4);
}

TEST(StrategyTable, CountsCopiesOfKvHeadsAsPartOfTheAxis) {
  const TableRow ulysses = row(strategy_table({"m", shape(2, 8), 8}), "ulysses_zero3");
  EXPECT_EQ(ulysses.mesh.extents().size(), 2U);
  EXPECT_EQ(ulysses.degrees.ulysses, 8);
  EXPECT_EQ(ulysses.closed_form.activation.bytes, ulysses.count.sent_bytes().activation);
}

TEST(StrategyTable, CountsTheBusiestRank) {
  const StrategyTable table = strategy_table({"m", shape(16, 1), 8});
  for (const TableRow& r : table.rows) {
    const Arrangement at =
        arrange(r.strategy,
                r.mesh.extents().size() == 1 ? default_mesh(r.strategy, 8, shape(16, 1)) : r.mesh,
                shape(16, 1));
    const Program p = layer_program(shape(16, 1), at.strategy, at.mesh).program;
    for (int rank = 0; rank < 8; ++rank)
      EXPECT_LE(count(p, rank).flops(), r.count.flops()) << r.strategy << rank;
  }
}

TEST(StrategyTable, RefusesNothingness) {
  EXPECT_THROW(strategy_table({"m", shape(16, 1), 0}), InputError);
  LayerShape n = shape(16, 1);
  n.L = 0;
  EXPECT_THROW(strategy_table({"m", n, 8}), InputError);
}

}  // namespace
}  // namespace ithaca
