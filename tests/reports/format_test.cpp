#include "reports/format.h"

#include <gtest/gtest.h>

namespace ithaca {
namespace {

TEST(Format, GivesThreeDigitsAndTheUnit) {
  EXPECT_EQ(decimal_bytes(0), "0");
  EXPECT_EQ(decimal_bytes(512), "512 B");
  EXPECT_EQ(decimal_bytes(1297350656), "1.30 GB");
  EXPECT_EQ(decimal_bytes(234881024), "235 MB");
  EXPECT_EQ(decimal_bytes(12345678), "12.3 MB");
  EXPECT_EQ(binary_bytes(1 << 30), "1.00 GiB");
  EXPECT_EQ(binary_bytes(80LL << 30), "80.0 GiB");
  EXPECT_EQ(decimal_count(8.82e12), "8.82 T");
  EXPECT_EQ(decimal_count(950), "950");
}

TEST(Format, NeverPrintsAThousandOfTheSmallerUnit) {
  EXPECT_EQ(decimal_bytes(999'499'999), "999 MB");
  EXPECT_EQ(decimal_bytes(999'500'000), "1.00 GB");
  EXPECT_EQ(binary_bytes((1 << 20) - 1), "1.00 MiB");
  EXPECT_EQ(decimal_bytes(9'996'000), "10.0 MB");
  EXPECT_EQ(decimal_bytes(99'960'000), "100 MB");
}

TEST(Format, GroupsDigitsByThree) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(131072), "131,072");
  EXPECT_EQ(grouped(-1000000), "-1,000,000");
}

}  // namespace
}  // namespace ithaca
