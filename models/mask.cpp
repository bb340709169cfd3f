#include "models/mask.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>
#include <random>

namespace ithaca {
namespace {

constexpr std::int64_t most_parts = 1 << 24;  // blocks or documents of a sequence

/// Standard normal numbers, the same on every platform: Box and Muller 1958.
class Normal {
 public:
  explicit Normal(std::int64_t seed) : bits_(static_cast<std::uint64_t>(seed)) {}
  double next() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  double uniform() { return (static_cast<double>(bits_() >> 11U) + 0.5) * 0x1p-53; }
  std::mt19937_64 bits_;
};

std::vector<std::int64_t> drawn_bounds(const DocumentLengths& d, std::int64_t L) {
  Normal normal(d.seed);
  const auto mean = static_cast<double>(d.mean_tokens);
  std::vector<std::int64_t> bounds{0};
  while (bounds.back() < L) {
    const double length = mean * std::exp(d.spread * normal.next() - d.spread * d.spread / 2);
    const double left = static_cast<double>(L - bounds.back());
    bounds.push_back(bounds.back() +
                     std::max<std::int64_t>(1, std::llround(std::min(length, left))));
  }
  return bounds;
}

/// Appends a range, joined to the last when they touch.
void append(std::vector<KeyRange>& ranges, std::int64_t begin, std::int64_t end) {
  if (!ranges.empty() && ranges.back().end == begin)
    ranges.back().end = end;
  else
    ranges.push_back({begin, end});
}

std::vector<KeyRange> seen_fixed(const Mask& m, std::int64_t q) {
  const std::int64_t window = m.size(0) * m.size(1), global = m.size(0) * m.size(2);
  const std::int64_t own = q / window * window;
  std::vector<KeyRange> ranges;
  for (std::int64_t end = window; end <= own; end += window) append(ranges, end - global, end);
  append(ranges, own, q + 1);
  return ranges;
}

std::vector<KeyRange> seen_strided(const Mask& m, std::int64_t q) {
  const std::int64_t block = m.size(0), local = m.size(1), stride = m.size(2);
  const std::int64_t own = q / block, near = std::max<std::int64_t>(0, own - local + 1);
  std::vector<KeyRange> ranges;
  for (std::int64_t b = own % stride; b < near; b += stride)
    append(ranges, b * block, (b + 1) * block);
  append(ranges, near * block, q + 1);
  return ranges;
}

}  // namespace

Mask Mask::documents(const std::vector<std::int64_t>& lengths_tokens) {
  Mask mask(MaskKind::documents, {});
  Packed packed{{}, {0}};
  for (const std::int64_t length : lengths_tokens)
    packed.bounds.push_back(packed.bounds.back() + length);
  mask.packed_ = std::make_shared<const Packed>(std::move(packed));
  return mask;
}

Mask Mask::documents(const DocumentLengths& lengths, std::int64_t L) {
  Mask mask(MaskKind::documents, {});
  mask.packed_ = std::make_shared<const Packed>(Packed{lengths, drawn_bounds(lengths, L)});
  return mask;
}

std::size_t Mask::document_of(std::int64_t position) const {
  const std::vector<std::int64_t>& bounds = document_bounds();
  return static_cast<std::size_t>(std::ranges::upper_bound(bounds, position) - bounds.begin()) - 1;
}

std::vector<KeyRange> Mask::seen_by(std::int64_t q, std::int64_t L) const {
  switch (kind_) {
    case MaskKind::full:
      return {{0, L}};
    case MaskKind::causal:
      return {{0, q + 1}};
    case MaskKind::window:
      return {{std::max<std::int64_t>(0, q + 1 - size(0)), q + 1}};
    case MaskKind::fixed:
      return seen_fixed(*this, q);
    case MaskKind::strided:
      return seen_strided(*this, q);
    case MaskKind::documents:
      return {{document_bounds()[document_of(q)], q + 1}};
  }
  return {};
}

std::string Mask::misfit(std::int64_t L) const {
  const bool blocks = kind_ == MaskKind::fixed || kind_ == MaskKind::strided;
  if (blocks && L / size(0) > most_parts)
    return fmt::format("expected at most {} blocks, got {} of {} tokens, use larger ones",
                       most_parts, L / size(0), size(0));
  if (kind_ != MaskKind::documents || document_bounds().back() == L) return "";
  return fmt::format(
      "expected documents of {} tokens together, got {}, change a length or use "
      "documents:mean=TOKENS",
      L, document_bounds().back());
}

Mask Mask::on(std::int64_t L, std::string_view key, const Place& place) const {
  if (kind_ == MaskKind::documents && drawn_from()) {
    if (const std::int64_t mean = drawn_from()->mean_tokens; L / mean > most_parts)
      throw InputError(place, key,
                       fmt::format("expected at most {} documents, got {} tokens in documents "
                                   "of {}, use a larger mean",
                                   most_parts, L, mean));
    return documents(*drawn_from(), L);
  }
  if (const std::string why = misfit(L); !why.empty()) throw InputError(place, key, why);
  return *this;
}

bool Mask::operator==(const Mask& other) const {
  if (kind_ != other.kind_ || sizes_ != other.sizes_) return false;
  return packed_ == other.packed_ || (packed_ && other.packed_ && *packed_ == *other.packed_);
}

}  // namespace ithaca
