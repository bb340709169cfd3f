// models/mask.h -- which keys a query attends to.
//
//     full                                   every key
//     causal                                 keys at or before the query
//     window:TOKENS                          the last TOKENS of those, the query's own included (transformers'
//                                            sliding_window_overlay: kv_idx > q_idx - sliding_window)
//     fixed:BLOCK,LOCAL,GLOBAL               causal within windows of LOCAL blocks of BLOCK tokens, and the last GLOBAL
//                                            blocks of every earlier window
//     strided:BLOCK,LOCAL,STRIDE             causal within the last LOCAL blocks, the query's own included, and every
//                                            STRIDE-th block back from the query's
//     documents:TOKENS,TOKENS,...            causal within packed documents of these lengths, which add up to L
//     documents:mean=TOKENS[,spread=S][,seed=N]   the same with lengths drawn log-normally: S is the standard deviation
//                                            of the logarithm (1; 0 is equal lengths), the last document is cut at L
//
// TOKENS and BLOCK are written as --seq is: 4096, 4k.  Fixed and strided are the patterns of Child et al. 2019
// (arXiv 1904.10509, section 4.2: l = BLOCK LOCAL, c = BLOCK GLOBAL) on blocks; fixed is DeepSpeed's
// FixedSparsityConfig with attention="unidirectional" and one global pattern (deepspeed/ops/sparse_attention/
// sparsity_config.py), masked causally on the diagonal blocks.  All heads share one pattern.
#pragma once

#include "models/error.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

enum class MaskKind : std::uint8_t { full, causal, window, fixed, strided, documents };

/// Positions [begin, end).
struct KeyRange {
  std::int64_t begin, end;
  bool operator==(const KeyRange&) const = default;
};

/// A distribution of document lengths.
struct DocumentLengths {
  std::int64_t mean_tokens = 0;
  double spread = 1;
  std::int64_t seed = 1;
  bool operator==(const DocumentLengths&) const = default;
};

/// Cheap to copy.  Documents are those of one length L; every other kind serves any length.
class Mask {
 public:
  Mask() = default;  ///< causal
  static Mask full() { return {MaskKind::full, {}}; }
  /// Sizes from 1.
  static Mask window(std::int64_t tokens) { return {MaskKind::window, {tokens}}; }
  /// `global` at most `local`.
  static Mask fixed(std::int64_t block, std::int64_t local, std::int64_t global) {
    return {MaskKind::fixed, {block, local, global}};
  }
  static Mask strided(std::int64_t block, std::int64_t local, std::int64_t stride) {
    return {MaskKind::strided, {block, local, stride}};
  }
  static Mask documents(const std::vector<std::int64_t>& lengths_tokens);
  static Mask documents(const DocumentLengths&, std::int64_t L);

  MaskKind kind() const { return kind_; }
  /// The numbers of the text form of window, fixed and strided.
  std::int64_t size(std::size_t i) const { return sizes_[i]; }
  /// First positions of the documents in order, then L.  Only of documents.
  const std::vector<std::int64_t>& document_bounds() const { return packed_->bounds; }
  const std::optional<DocumentLengths>& drawn_from() const { return packed_->drawn_from; }
  /// The document that holds a position below L.
  std::size_t document_of(std::int64_t position) const;

  /// The keys of a sequence of L that the query at position `q` sees: sorted, disjoint, not adjacent, never none.
  std::vector<KeyRange> seen_by(std::int64_t q, std::int64_t L) const;

  /// Why it does not serve a sequence of L tokens: "expected ..., got ..., hint"; empty when it does.
  std::string misfit(std::int64_t L) const;
  /// The same for L tokens: drawn lengths are drawn again.  InputError at that key when a list of documents does
  /// not add up to L.
  Mask on(std::int64_t L, std::string_view key, const Place& place = {}) const;

  bool operator==(const Mask&) const;

 private:
  struct Packed {
    std::optional<DocumentLengths> drawn_from;
    std::vector<std::int64_t> bounds;
    bool operator==(const Packed&) const = default;
  };
  Mask(MaskKind kind, std::array<std::int64_t, 3> sizes) : kind_(kind), sizes_(sizes) {}

  MaskKind kind_ = MaskKind::causal;
  std::array<std::int64_t, 3> sizes_{};
  std::shared_ptr<const Packed> packed_;
};

/// Its text form.
std::string to_string(const Mask&);
/// The same for people: a long list of documents in short.
std::string short_text(const Mask&);

/// The mask of a text for sequences of L tokens.  InputError at `place` and `key` for anything wrong.
Mask parse_mask(std::string_view text, std::int64_t L, const Place& place, std::string_view key);

}  // namespace ithaca
