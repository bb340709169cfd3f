#include "models/nearest.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

TEST(Nearest, CountsEditsAndSwapsAsOne) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("bandwidth", "badnwidth"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("Ring", "ring"), 0U);
}

TEST(Nearest, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> known = {"ulysses", "ring", "odysseus"};
  EXPECT_EQ(did_you_mean("ulyses", known), ", did you mean \"ulysses\"?");
  EXPECT_EQ(did_you_mean("megatron", known), "");
  EXPECT_EQ(did_you_mean("ring", {}), "");
}

TEST(Nearest, QuotesOnOneLine) {
  EXPECT_EQ(in_quotes("a\nb\tc"), "\"a?b?c\"");
  EXPECT_EQ(in_quotes(std::string(100, 'x')).size(), 65U);
}

}  // namespace
}  // namespace ithaca
