// train/text_data.h -- samples of a text file, the same whoever asks and on however many ranks.
//
// A token is a byte.  The file is cut into windows of `seq` tokens (what is left at its end is not
// used); every epoch takes all windows once, in an order of its own.  Sample n is a fact of the file
// and the Sampling alone: it does not depend on ranks, micro-batches or where a run was resumed.
// Labels are shifted in the file, before any rank cuts the sample.
//
// Random numbers: std::mt19937_64 seeded by std::seed_seq, both exact to the bit in the C++ standard.
// A draw below n takes the remainder of the first number that is at least 2^64 mod n, so that no
// remainder is likelier; an order is the shuffle of Fisher and Yates (Knuth, TAOCP 2, 3.4.2, P).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

/// Tokens are 0 .. 255; rows of an embedding beyond that are padding that no token asks for.
constexpr std::int64_t byte_vocabulary = 256;
/// The label of a token that counts in no loss.
constexpr std::int32_t ignored_label = -100;

struct Sampling {
  std::int64_t seq = 0;    ///< tokens of one sample, at least 1
  std::uint64_t seed = 0;  ///< of the orders
  /// Ignore the last labels of each sample, 0 to seq-1 of them, so that samples have unequal numbers
  /// of valid tokens.
  bool ragged = false;
};

struct Sample {
  std::vector<std::int32_t> tokens;  ///< [seq]
  std::vector<std::int32_t> labels;  ///< [seq], the next byte or ignored_label
};

class TextData {
 public:
  /// Reads the file.  Throws InputError when it cannot be read or is shorter than seq + 1 bytes.
  TextData(const std::string& path, const Sampling&);

  /// Sample number n, from 0, counted since the beginning of training.  Keeps the order of the epoch
  /// last asked for, so one thread at a time.
  Sample sample(std::int64_t n);
  /// Labels at the end of sample n that are ignored because samples are ragged, else 0.
  std::int64_t ignored_labels(std::int64_t n) const;

  /// Samples in one epoch.
  std::int64_t windows() const;
  /// "12345 bytes, crc64 0123456789abcdef": what a resumed run must find again.
  std::string fingerprint() const;

 private:
  void shuffle(std::int64_t epoch);

  std::string text_;
  Sampling sampling_;
  std::int64_t epoch_ = -1;
  std::vector<std::int64_t> order_;  // windows, in the order of the epoch
};

}  // namespace ithaca
