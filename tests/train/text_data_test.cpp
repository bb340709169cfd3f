#include "train/text_data.h"

#include "tests/train/scratch.h"
#include "train/checksum.h"

#include <algorithm>
#include <random>
#include <set>

namespace ithaca {
namespace {

/// Bytes 0, 1, ... 255, 0, ...: a token tells where it lay.
std::string counting_bytes(int n) {
  std::string text;
  for (int i = 0; i < n; ++i) text += static_cast<char>(i);
  return text;
}

class Text : public Scratch {
 protected:
  static TextData data(const std::string& text, const Sampling& sampling) {
    write_bytes("text", text);
    return {"text", sampling};
  }
};

TEST_F(Text, TokensAreBytesAndLabelsTheNextOnes) {
  TextData text = data("h\xc3\xa9llo", {.seq = 5});
  ASSERT_EQ(text.windows(), 1);
  EXPECT_EQ(text.sample(0).tokens, (std::vector<std::int32_t>{'h', 0xc3, 0xa9, 'l', 'l'}));
  EXPECT_EQ(text.sample(0).labels, (std::vector<std::int32_t>{0xc3, 0xa9, 'l', 'l', 'o'}));
}

TEST_F(Text, LabelsCrossWindowsAndOnlyTheOneAfterTheFileIsIgnored) {
  TextData text = data(counting_bytes(12), {.seq = 4});
  ASSERT_EQ(text.windows(), 3);
  for (std::int64_t n = 0; n < 3; ++n) {
    const Sample sample = text.sample(n);
    for (std::size_t i = 0; i < 4; ++i) {
      const std::int32_t at = sample.tokens[i];
      EXPECT_EQ(sample.labels[i], at == 11 ? ignored_label : at + 1);
    }
  }
}

TEST_F(Text, EveryEpochTakesEachWindowOnceInItsOwnOrder) {
  TextData text = data(counting_bytes(203), {.seq = 4, .seed = 7});
  std::set<std::vector<std::int32_t>> orders;
  for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
    std::vector<std::int32_t> firsts;
    for (std::int64_t i = 0; i < text.windows(); ++i)
      firsts.push_back(text.sample(epoch * text.windows() + i).tokens.front());
    orders.insert(firsts);
    std::ranges::sort(firsts);
    for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(firsts[i], 4 * static_cast<std::int32_t>(i));
  }
  EXPECT_EQ(orders.size(), 5U);
}

TEST_F(Text, ASampleDependsOnItsNumberAndNotOnWhatWasAskedBefore) {
  const Sampling sampling{.seq = 3, .seed = 5, .ragged = true};
  TextData forward = data(counting_bytes(100), sampling);
  TextData backward = data(counting_bytes(100), sampling);
  std::vector<Sample> samples;
  for (std::int64_t n = 0; n < 150; ++n) samples.push_back(forward.sample(n));
  for (std::int64_t n = 149; n >= 0; --n) {
    const Sample again = backward.sample(n);
    EXPECT_EQ(again.tokens, samples[static_cast<std::size_t>(n)].tokens);
    EXPECT_EQ(again.labels, samples[static_cast<std::size_t>(n)].labels);
  }
}

// The random numbers are the standard's, so that an order is the same with every library: the
// 10000th of std::mt19937_64 is given in [rand.predef]; the order was worked out apart from this
// code (a seed_seq and Mersenne twister in another language).
TEST_F(Text, TheOrderIsTheSameWithEveryStandardLibrary) {
  std::mt19937_64 random;
  random.discard(9999);
  EXPECT_EQ(random(), 9981545732273789042U);
  TextData text = data(counting_bytes(11), {.seq = 1, .seed = 0x123456789abcdef0U});
  std::vector<std::int32_t> order;
  for (std::int64_t n = 0; n < 22; ++n) order.push_back(text.sample(n).tokens.front());
  EXPECT_EQ(order, (std::vector<std::int32_t>{6, 3, 8, 0, 10, 2, 9,  1, 4, 7, 5,
                                              9, 7, 2, 4, 8,  0, 10, 6, 1, 5, 3}));
}

TEST_F(Text, SeedsGiveDifferentOrders) {
  std::set<std::vector<std::int32_t>> orders;
  for (const std::uint64_t seed : {0U, 1U, 2U}) {
    TextData text = data(counting_bytes(200), {.seq = 2, .seed = seed});
    std::vector<std::int32_t> order;
    for (std::int64_t n = 0; n < text.windows(); ++n) order.push_back(text.sample(n).tokens[0]);
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 3U);
}

TEST_F(Text, AllPlacesInTheOrderAreAboutAsLikely) {
  TextData text = data(counting_bytes(7), {.seq = 2, .seed = 1});
  ASSERT_EQ(text.windows(), 3);
  std::map<std::vector<std::int32_t>, int> seen;
  const int epochs = 6000;
  for (std::int64_t e = 0; e < epochs; ++e)
    ++seen[{text.sample(3 * e).tokens[0], text.sample(3 * e + 1).tokens[0]}];
  EXPECT_EQ(seen.size(), 6U);
  for (const auto& [order, times] : seen) EXPECT_NEAR(times, epochs / 6, 150);  // five deviations
}

TEST_F(Text, RaggedSamplesIgnoreZeroToAllButOneOfTheirLastLabels) {
  TextData even = data(counting_bytes(200), {.seq = 4, .seed = 3});
  TextData ragged = data(counting_bytes(200), {.seq = 4, .seed = 3, .ragged = true});
  std::set<std::int64_t> lengths;
  for (std::int64_t n = 0; n < 100; ++n) {
    const std::int64_t ignored = ragged.ignored_labels(n);
    lengths.insert(ignored);
    EXPECT_EQ(even.ignored_labels(n), 0);
    EXPECT_EQ(ragged.sample(n).tokens, even.sample(n).tokens);
    std::vector<std::int32_t> labels = even.sample(n).labels;
    std::fill(labels.end() - ignored, labels.end(), ignored_label);
    EXPECT_EQ(ragged.sample(n).labels, labels);
  }
  EXPECT_EQ(lengths, (std::set<std::int64_t>{0, 1, 2, 3}));
}

TEST_F(Text, AFingerprintTellsFilesApart) {
  EXPECT_EQ(data("123456789", {.seq = 1}).fingerprint(), "9 bytes, crc64 995dc9bbdf1939fa");
  EXPECT_NE(data("123456788", {.seq = 1}).fingerprint(),
            data("123456789", {.seq = 1}).fingerprint());
}

TEST_F(Text, AFileThatIsNoTextOrTooShortIsRefusedInOneLine) {
  const auto message = [](const std::string& path, std::int64_t seq) {
    return refusal([&] { TextData(path, {.seq = seq}); });
  };
  write_bytes("empty", "");
  write_bytes("one", "1");
  write_bytes("short", "12345678");
  std::filesystem::create_directory("folder");
  EXPECT_EQ(message("none", 8), "none: expected a readable file, got: No such file or directory");
  EXPECT_EQ(message("one/x", 8), "one/x: expected a readable file, got: Not a directory");
  EXPECT_EQ(message("folder", 8), "folder: expected a text file, got a directory");
  EXPECT_EQ(message("/dev/zero", 8), "/dev/zero: expected a text file, got a device");
  EXPECT_EQ(message("empty", 1),
            "empty: expected at least 2 bytes, one sample of 1 tokens and the byte after it, got "
            "0, use a longer file");
  EXPECT_EQ(message("one", 8),
            "one: expected at least 9 bytes, one sample of 8 tokens and the byte after it, got 1, "
            "use a longer file");
  EXPECT_EQ(message("short", 8),
            "short: expected at least 9 bytes, one sample of 8 tokens and the byte after it, got "
            "8, use a longer file or --seq 7");
  EXPECT_EQ(message("short", 7), "accepted");
}

}  // namespace
}  // namespace ithaca
