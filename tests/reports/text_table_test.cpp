#include "reports/text_table.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

TextTable example() {
  TextTable table({{"name", Align::left}, {"bytes", Align::right}});
  table.add({"a, \"b\"", "1"});
  table.add({"c|d", "1000000"});
  return table;
}

TEST(TextTable, AlignsColumnsWithoutTrailingSpaces) {
  EXPECT_EQ(example().text(2),
            "  name      bytes\n"
            "  ------  -------\n"
            "  a, \"b\"        1\n"
            "  c|d     1000000\n");
}

TEST(TextTable, CountsCharactersNotBytes) {
  TextTable table({{"x"}, {"y"}});
  table.add({"\xC3\xA9t\xC3\xA9", "1"});  // three letters in five bytes
  EXPECT_EQ(table.text(), "x    y\n---  -\n\xC3\xA9t\xC3\xA9  1\n");
}

TEST(TextTable, EscapesForMarkdownAndCsv) {
  EXPECT_EQ(example().markdown(),
            "| name | bytes |\n|---|---:|\n| a, \"b\" | 1 |\n| c\\|d | 1000000 |\n");
  EXPECT_EQ(example().csv(), "name,bytes\r\n\"a, \"\"b\"\"\",1\r\nc|d,1000000\r\n");
}

TEST(TextTable, FillsMissingCells) {
  TextTable table({{"x"}, {"y"}});
  table.add({"1"});
  EXPECT_EQ(table.csv(), "x,y\r\n1,\r\n");
}

TEST(Wrapped, BreaksBetweenWordsOnly) {
  EXPECT_EQ(wrapped("one two three", 8, 2), "one two\n  three");
  EXPECT_EQ(wrapped("indivisible", 4, 2), "indivisible");
}

}  // namespace
}  // namespace ithaca
