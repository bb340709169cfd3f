#include "reports/published_tables.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>

namespace ithaca {
namespace {

TEST(PublishedTables, AreCompleteRows) {
  std::map<std::string, int> cells;
  for (const PublishedEntry& e : published_entries())
    ++cells[std::string(e.table) + " " + std::string(e.method)];
  EXPECT_EQ(cells.size(), 9U) << "four rows of the old table, five of the new";
  for (const auto& [row, count] : cells) EXPECT_EQ(count, 6) << row;
}

TEST(PublishedTables, EveryEntryReadsAsAClaim) {
  using enum PublishedColumn;
  for (const PublishedEntry& e : published_entries()) {
    if (e.column == activation_label || e.column == weight_label) {
      EXPECT_NO_THROW(read_label(e.entry)) << e.entry;
    } else if (e.column == activation_volume || e.column == weight_volume) {
      EXPECT_NO_THROW(read_volume(e.entry)) << e.entry;
    } else {
      EXPECT_TRUE(e.entry == "full" || e.entry == "1/N") << e.entry;
    }
  }
}

TEST(PublishedTables, LabelsAreReadWithNumberKindAndScope) {
  const LabelClaim claim = read_label("RS+2AG (MLP)");
  EXPECT_EQ(claim.calls[Wire::reduce_scatter], 1);
  EXPECT_EQ(claim.calls[Wire::all_gather], 2);
  EXPECT_EQ(claim.calls.all(), 3);
  EXPECT_EQ(claim.scope, "MLP");
  EXPECT_EQ(read_label("0").calls.all(), 0);
  EXPECT_TRUE(read_label("P2Ps").any_number);
  EXPECT_THROW(read_label("2Broadcast"), std::invalid_argument);
}

TEST(PublishedTables, VolumesAreReadTermByTerm) {
  const VolumeClaim weights = read_volume("4O($d^2$)+3O(di)");
  EXPECT_EQ(weights.dd, 4);
  EXPECT_EQ(weights.di, 3);
  EXPECT_EQ(weights.Ld, 0);
  EXPECT_FALSE(weights.over_ranks);
  const VolumeClaim ulysses = read_volume("8O(Ld)/N");
  EXPECT_EQ(ulysses.Ld, 8);
  EXPECT_TRUE(ulysses.over_ranks);
  EXPECT_THROW(read_volume("8O(Lh)"), std::invalid_argument);
}

}  // namespace
}  // namespace ithaca
