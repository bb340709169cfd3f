#include "train/text_data.h"

#include "models/error.h"
#include "models/yaml.h"
#include "train/checksum.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <numeric>
#include <random>
#include <utility>

namespace ithaca {
namespace {

enum class Purpose : std::uint32_t { order, ragged };

/// The stream of numbers for one purpose and one epoch or sample.
std::mt19937_64 stream(std::uint64_t seed, Purpose purpose, std::int64_t n) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto number = static_cast<std::uint64_t>(n);
  std::seed_seq words{low(seed), low(seed >> 32), static_cast<std::uint32_t>(purpose), low(number),
                      low(number >> 32)};
  return std::mt19937_64(words);
}

std::int64_t draw_below(std::int64_t n, std::mt19937_64& random) {
  const auto bound = static_cast<std::uint64_t>(n);
  const std::uint64_t least = (0 - bound) % bound;  // 2^64 mod n
  std::uint64_t x = random();
  while (x < least) x = random();
  return static_cast<std::int64_t>(x % bound);
}

std::string read_text(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::file_type type = fs::status(path, ignored).type();
  if (type == fs::file_type::directory)
    throw InputError({path}, "", "expected a text file, got a directory");
  if (type == fs::file_type::character || type == fs::file_type::block)
    throw InputError({path}, "", "expected a text file, got a device");
  return read_file(path);
}

void check_length(const std::string& path, std::int64_t bytes, std::int64_t seq) {
  if (bytes > seq) return;
  const std::string hint =
      bytes < 2 ? "use a longer file" : fmt::format("use a longer file or --seq {}", bytes - 1);
  throw InputError({path}, "",
                   fmt::format("expected at least {} bytes, one sample of {} tokens and the byte "
                               "after it, got {}, {}",
                               seq + 1, seq, bytes, hint));
}

}  // namespace

TextData::TextData(const std::string& path, const Sampling& sampling) : sampling_(sampling) {
  require(sampling.seq >= 1, "a sample has at least one token");
  text_ = read_text(path);
  check_length(path, std::ssize(text_), sampling.seq);
}

std::int64_t TextData::windows() const {
  return std::ssize(text_) / sampling_.seq;
}

void TextData::shuffle(std::int64_t epoch) {
  if (epoch == epoch_) return;
  order_.resize(static_cast<std::size_t>(windows()));
  std::iota(order_.begin(), order_.end(), 0);
  std::mt19937_64 random = stream(sampling_.seed, Purpose::order, epoch);
  for (std::size_t last = order_.size() - 1; last > 0; --last) {
    const std::int64_t other = draw_below(static_cast<std::int64_t>(last) + 1, random);
    std::swap(order_[last], order_[static_cast<std::size_t>(other)]);
  }
  epoch_ = epoch;
}

Sample TextData::sample(std::int64_t n) {
  require(n >= 0, "samples count from 0");
  shuffle(n / windows());
  const std::int64_t begin = order_[static_cast<std::size_t>(n % windows())] * sampling_.seq;
  const std::int64_t counted = sampling_.seq - ignored_labels(n);
  Sample sample;
  for (std::int64_t i = 0; i < sampling_.seq; ++i) {
    const auto at = static_cast<std::size_t>(begin + i);
    const bool valid = i < counted && at + 1 < text_.size();
    sample.tokens.push_back(static_cast<unsigned char>(text_[at]));
    sample.labels.push_back(valid ? static_cast<unsigned char>(text_[at + 1]) : ignored_label);
  }
  return sample;
}

std::int64_t TextData::ignored_labels(std::int64_t n) const {
  if (!sampling_.ragged) return 0;
  std::mt19937_64 random = stream(sampling_.seed, Purpose::ragged, n);
  return draw_below(sampling_.seq, random);
}

std::string TextData::fingerprint() const {
  return fmt::format("{} bytes, crc64 {}", text_.size(), checksum_text(checksum_of(text_)));
}

}  // namespace ithaca
