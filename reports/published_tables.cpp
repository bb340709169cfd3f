#include "reports/published_tables.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <string>
#include <utility>

namespace ithaca {
namespace {

using enum PublishedColumn;

constexpr std::string_view dkv_remark =
    "three turns of width c pass the ring: K and V, both again in the backward, and their "
    "gradients";
constexpr std::string_view fsdp_remark =
    "the repository's own benchmark wraps the model as one FSDP unit and sends 1AG+1RS";
constexpr std::string_view rest_remark =
    "in use they are whole on every rank, in the repository's own benchmark all at once";

constexpr std::array entries{
    PublishedEntry{"old", "TP", activation_label, "2AllReduce", ""},
    PublishedEntry{"old", "TP", activation_volume, "4O(Ld)", ""},
    PublishedEntry{"old", "TP", weight_label, "0", ""},
    PublishedEntry{"old", "TP", weight_volume, "0", ""},
    PublishedEntry{"old", "TP", activation_memory, "full", ""},
    PublishedEntry{"old", "TP", weight_memory, "1/N", ""},
    PublishedEntry{"old", "TP-SP", activation_label, "4RS+4AG", ""},
    PublishedEntry{"old", "TP-SP", activation_volume, "4O(Ld)", ""},
    PublishedEntry{"old", "TP-SP", weight_label, "0", ""},
    PublishedEntry{"old", "TP-SP", weight_volume, "0", ""},
    PublishedEntry{"old", "TP-SP", activation_memory, "1/N", ""},
    PublishedEntry{"old", "TP-SP", weight_memory, "1/N", ""},
    PublishedEntry{"old", "Ulysses+ZeRO3", activation_label, "4All2All", ""},
    PublishedEntry{"old", "Ulysses+ZeRO3", activation_volume, "4O(Ld)", ""},
    PublishedEntry{"old", "Ulysses+ZeRO3", weight_label, "AllReduce", ""},
    PublishedEntry{"old", "Ulysses+ZeRO3", weight_volume, "4O($d^2$)+2O(di)", ""},
    PublishedEntry{"old", "Ulysses+ZeRO3", activation_memory, "1/N", ""},
    PublishedEntry{"old", "Ulysses+ZeRO3", weight_memory, "1/N", rest_remark},
    PublishedEntry{"old", "Odysseus+ZeRO3", activation_label, "2RS+2AG", ""},
    PublishedEntry{"old", "Odysseus+ZeRO3", activation_volume, "2O(Ld)", ""},
    PublishedEntry{"old", "Odysseus+ZeRO3", weight_label, "AllReduce (FFN)", ""},
    PublishedEntry{"old", "Odysseus+ZeRO3", weight_volume, "2O(di)", ""},
    PublishedEntry{"old", "Odysseus+ZeRO3", activation_memory, "1/N", ""},
    PublishedEntry{"old", "Odysseus+ZeRO3", weight_memory, "1/N", ""},
    PublishedEntry{"new", "TP", activation_label, "2AllReduce", ""},
    PublishedEntry{"new", "TP", activation_volume, "8O(Ld)", ""},
    PublishedEntry{"new", "TP", weight_label, "0", ""},
    PublishedEntry{"new", "TP", weight_volume, "0", ""},
    PublishedEntry{"new", "TP", activation_memory, "full", ""},
    PublishedEntry{"new", "TP", weight_memory, "1/N", ""},
    PublishedEntry{"new", "TP-SP", activation_label, "6RS+4AG", ""},
    PublishedEntry{"new", "TP-SP", activation_volume, "10O(Ld)", ""},
    PublishedEntry{"new", "TP-SP", weight_label, "0", ""},
    PublishedEntry{"new", "TP-SP", weight_volume, "0", ""},
    PublishedEntry{"new", "TP-SP", activation_memory, "1/N", ""},
    PublishedEntry{"new", "TP-SP", weight_memory, "1/N", ""},
    PublishedEntry{"new", "Ulysses+ZeRO3", activation_label, "8All2All", ""},
    PublishedEntry{"new", "Ulysses+ZeRO3", activation_volume, "8O(Ld)/N", ""},
    PublishedEntry{"new", "Ulysses+ZeRO3", weight_label, "RS+2AG (Full)", fsdp_remark},
    PublishedEntry{"new", "Ulysses+ZeRO3", weight_volume, "4O($d^2$)+3O(di)", ""},
    PublishedEntry{"new", "Ulysses+ZeRO3", activation_memory, "1/N", ""},
    PublishedEntry{"new", "Ulysses+ZeRO3", weight_memory, "1/N", rest_remark},
    PublishedEntry{"new", "Ring+ZeRO3", activation_label, "P2Ps", ""},
    PublishedEntry{"new", "Ring+ZeRO3", activation_volume, "4O(Ld)", dkv_remark},
    PublishedEntry{"new", "Ring+ZeRO3", weight_label, "RS+2AG (Full)", fsdp_remark},
    PublishedEntry{"new", "Ring+ZeRO3", weight_volume, "4O($d^2$)+3O(di)", ""},
    PublishedEntry{"new", "Ring+ZeRO3", activation_memory, "1/N", ""},
    PublishedEntry{"new", "Ring+ZeRO3", weight_memory, "1/N", rest_remark},
    PublishedEntry{"new", "Odysseus+ZeRO3", activation_label, "3RS+2AG", ""},
    PublishedEntry{"new", "Odysseus+ZeRO3", activation_volume, "5O(Ld)", ""},
    PublishedEntry{"new", "Odysseus+ZeRO3", weight_label, "RS+2AG (MLP)", ""},
    PublishedEntry{"new", "Odysseus+ZeRO3", weight_volume, "3O(di)", ""},
    PublishedEntry{"new", "Odysseus+ZeRO3", activation_memory, "1/N", ""},
    PublishedEntry{"new", "Odysseus+ZeRO3", weight_memory, "1/N", ""},
};

constexpr std::array methods{
    std::pair<std::string_view, std::string_view>{"tp", "TP"},
    std::pair<std::string_view, std::string_view>{"tp_sp", "TP-SP"},
    std::pair<std::string_view, std::string_view>{"ulysses_zero3", "Ulysses+ZeRO3"},
    std::pair<std::string_view, std::string_view>{"ring_zero3", "Ring+ZeRO3"},
    std::pair<std::string_view, std::string_view>{"ring_homing_zero3", "Ring+ZeRO3"},
    std::pair<std::string_view, std::string_view>{"odysseus_zero3", "Odysseus+ZeRO3"},
};

[[noreturn]] void refuse(std::string_view entry) {
  throw std::invalid_argument("no such entry: " + std::string(entry));
}

/// The number a term begins with, 1 when it has none.
std::int64_t take_number(std::string_view& term) {
  std::int64_t number = 1;
  const auto read = std::from_chars(term.data(), term.data() + term.size(), number);
  term.remove_prefix(static_cast<std::size_t>(read.ptr - term.data()));
  return number;
}

bool strip_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

/// Calls `take` on each term of a sum.
template <class Take>
void each_term(std::string_view sum, Take take) {
  while (!sum.empty()) {
    const std::size_t plus = std::min(sum.find('+'), sum.size());
    take(sum.substr(0, plus));
    sum.remove_prefix(std::min(plus + 1, sum.size()));
  }
}

Wire read_wire(std::string_view name) {
  if (name == "AG") return Wire::all_gather;
  if (name == "RS") return Wire::reduce_scatter;
  if (name == "AllReduce") return Wire::all_reduce;
  if (name == "All2All") return Wire::all_to_all;
  refuse(name);
}

}  // namespace

std::string_view name_of(PublishedColumn column) {
  constexpr std::array<std::string_view, 6> names{"calls",         "volume", "weight calls",
                                                  "weight volume", "saved",  "weights at rest"};
  return names[static_cast<std::size_t>(column)];
}

std::span<const PublishedEntry> published_entries() {
  return entries;
}

std::string_view published_method(std::string_view strategy) {
  for (const auto& [ours, method] : methods)
    if (ours == strategy) return method;
  return {};
}

LabelClaim read_label(std::string_view entry) {
  LabelClaim claim;
  if (entry == "0") return claim;
  if (entry == "P2Ps") {
    claim.any_number = true;
    claim.calls[Wire::send_recv] = 1;
    return claim;
  }
  for (const std::string_view scope : {"Full", "MLP", "FFN"})
    if (strip_suffix(entry, " (" + std::string(scope) + ")")) claim.scope = scope;
  each_term(entry, [&](std::string_view term) {
    const std::int64_t number = take_number(term);
    claim.calls[read_wire(term)] += static_cast<int>(number);
  });
  return claim;
}

VolumeClaim read_volume(std::string_view entry) {
  VolumeClaim claim;
  if (entry == "0") return claim;
  const std::string_view whole = entry;
  claim.over_ranks = strip_suffix(entry, "/N");
  each_term(entry, [&](std::string_view term) {
    const std::int64_t number = take_number(term);
    if (term == "O(Ld)")
      claim.Ld += number;
    else if (term == "O($d^2$)")
      claim.dd += number;
    else if (term == "O(di)")
      claim.di += number;
    else
      refuse(whole);
  });
  return claim;
}

}  // namespace ithaca
