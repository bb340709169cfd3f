// reports/published_tables.h -- the two strategy tables others plan by, entry by entry as printed.
//
// Source: the README of github.com/feifeibear/Odysseus-Transformer.  `old` is the table of an early
// version, `new` that of August 2024.  Entries are kept as text and read as claims, so that what is
// judged is what was printed.
#pragma once

#include "models/wire.h"
#include "reports/layer_facts.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace ithaca {

enum class PublishedColumn : std::uint8_t {
  activation_label,
  activation_volume,
  weight_label,
  weight_volume,
  activation_memory,
  weight_memory
};
/// "calls", "volume", "weight calls", ...; the tables head them Comm Activation, Comm Volume, Comm
/// Gradient, Comm Volume, Mem Activation and Mem Param/Grad.
std::string_view name_of(PublishedColumn);

struct PublishedEntry {
  std::string_view table;   ///< "old" or "new"
  std::string_view method;  ///< the row: "Ulysses+ZeRO3"
  PublishedColumn column;
  std::string_view entry;   ///< "8O(Ld)/N"
  std::string_view remark;  ///< what no count can say; may be empty
};

/// Both tables, row by row, old first.
std::span<const PublishedEntry> published_entries();
/// The published row about a strategy of ours, such as "TP-SP" for tp_sp; empty when neither table
/// has one.
std::string_view published_method(std::string_view strategy);

/// "6RS+4AG": calls by kind.  "RS+2AG (MLP)": of each weight, and of which weights.
struct LabelClaim {
  WireCalls calls;
  bool any_number = false;      ///< "P2Ps"
  std::string_view scope = {};  ///< "Full", "MLP", "FFN" or empty
};
/// "8O(Ld)/N", "4O($d^2$)+3O(di)": elements, with O() hiding (N-1)/N.
struct VolumeClaim {
  std::int64_t Ld = 0, dd = 0, di = 0;
  bool over_ranks = false;  ///< the trailing "/N"
};
/// Throw std::invalid_argument for text of another form.
LabelClaim read_label(std::string_view entry);
VolumeClaim read_volume(std::string_view entry);

}  // namespace ithaca
