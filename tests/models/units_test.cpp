#include "models/units.h"

#include <gtest/gtest.h>

#include <string>

namespace ithaca {
namespace {

double bandwidth(std::string_view text) {
  return quantity(text, Dimension::bytes_per_s, Place{"x.yaml", 14, 3}, "links.nvlink.bandwidth");
}

double bytes(std::string_view text) {
  return quantity(text, Dimension::bytes, Place{}, "memory");
}

std::string fault_of(std::string_view text, Dimension dimension) {
  try {
    quantity(text, dimension, Place{}, "key");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

std::string token_fault(std::string_view text) {
  try {
    token_count(text, "--seq");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(Units, BytesAndBitsDifferByEight) {
  EXPECT_DOUBLE_EQ(bandwidth("450 GB/s"), 450e9);
  EXPECT_DOUBLE_EQ(bandwidth("400 Gb/s"), 50e9);
  EXPECT_DOUBLE_EQ(bandwidth("3.2 Tb/s"), 400e9);
}

TEST(Units, BinaryAndDecimalPrefixesDiffer) {
  EXPECT_DOUBLE_EQ(bytes("80 GiB"), 85899345920.0);
  EXPECT_DOUBLE_EQ(bytes("81920 MiB"), 85899345920.0);
  EXPECT_DOUBLE_EQ(bytes("80 GB"), 80e9);
  EXPECT_DOUBLE_EQ(bytes("512MB"), 512e6);
}

TEST(Units, SecondsMayBeZero) {
  EXPECT_DOUBLE_EQ(quantity("5 us", Dimension::seconds, {}, ""), 5e-6);
  EXPECT_DOUBLE_EQ(quantity("0 s", Dimension::seconds, {}, ""), 0);
}

TEST(Units, TeraflopsAreDecimal) {
  EXPECT_DOUBLE_EQ(quantity("312 TFLOP/s", Dimension::flops_per_s, {}, ""), 312e12);
}

TEST(Units, RefusesUnitlessNumberWithItsPlace) {
  try {
    bandwidth("450");
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_STREQ(
        error.what(),
        "x.yaml:14:3: links.nvlink.bandwidth: expected a number with unit such as \"450 GB/s\", "
        "got \"450\"");
  }
}

TEST(Units, RefusesWrongUnitsAndNumbers) {
  for (const char* const wrong : {"", "GB/s", "450 GB", "450 gb/s", "450 GHz", "nan GB/s",
                                  "inf GB/s", "-1 GB/s", "0 GB/s", "1e300 GB/s", "450 GB/s x"}) {
    EXPECT_NE(fault_of(wrong, Dimension::bytes_per_s), "") << wrong;
  }
  EXPECT_NE(fault_of("-1 us", Dimension::seconds), "");
  EXPECT_NE(fault_of("80 GB/s", Dimension::bytes), "");
}

TEST(Tokens, SuffixesAreBinary) {
  for (const char* const same : {"131072", "128k", "128K", "128Ki", "131_072"}) {
    EXPECT_EQ(token_count(same, "--seq"), 131072) << same;
  }
  EXPECT_EQ(token_count("1M", "--seq"), 1048576);
  EXPECT_EQ(token_count("1.5M", "--seq"), 1572864);
}

TEST(Tokens, ExponentsAndUnderscoresAreDecimal) {
  EXPECT_EQ(token_count("128e3", "--seq"), 128000);
  EXPECT_EQ(token_count("128_000", "--seq"), 128000);
  EXPECT_EQ(token_count("1_200_000", "--seq"), 1200000);
}

TEST(Tokens, RefusesGarbageNamingTheFlag) {
  EXPECT_EQ(token_fault("128x"),
            "--seq: expected a token count such as 131072, 128k or 1M, got \"128x\"");
  for (const char* const wrong :
       {"", "k", "12 k", "_1", "1_", "1__0", "0x10", "nan", "inf", "+5", "1k2"}) {
    EXPECT_NE(token_fault(wrong), "") << wrong;
  }
}

TEST(Tokens, RefusesZeroNegativeFractionAndOverflow) {
  EXPECT_EQ(token_fault("0"),
            "--seq: expected a whole number of tokens from 1 to 1099511627776, got \"0\"");
  for (const char* const wrong : {"-1", "1.5", "3.7M", "9223372036854775808", "1e30", "2048G"}) {
    EXPECT_NE(token_fault(wrong).find("whole number"), std::string::npos) << wrong;
  }
}

}  // namespace
}  // namespace ithaca
