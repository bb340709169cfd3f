#include "models/catalog.h"

#include "models/error.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ithaca {
namespace {

using Axes = std::span<const HeadAxes>;

/// Attention walks one axis; one that is split for KV heads is not one.
Axis single(const HeadAxes& axes) {
  if (axes.all().size() == 1) return axes.kv[0];
  throw InputError("--strategy",
                   "expected a ring on an axis of its own, got one that also spreads heads; "
                   "use local for the MLP half");
}

constexpr std::array rows{
    StrategyRow{"tp", "TP", StrategyKind::tensor, "t", "t", "", false,
                "heads and intermediate dimension split, residual stream copied",
                "arXiv 1909.08053", [](Axes a, Deal, const WeightRow&) { return tp(a[0]); }},
    StrategyRow{"tp_sp", "TP-SP", StrategyKind::tensor, "t", "t", "", false,
                "tensor parallelism with the residual stream split along the sequence",
                "arXiv 2205.05198", [](Axes a, Deal, const WeightRow&) { return tp_sp(a[0]); }},
    StrategyRow{"ulysses", "Ulysses", StrategyKind::heads, "u", "u", "", true,
                "sequence split; all-to-alls split heads instead around attention",
                "arXiv 2309.14509",
                [](Axes a, Deal, const WeightRow& w) { return ulysses(a[0], w); }},
    StrategyRow{"ring", "ring", StrategyKind::ring, "r", "", "r", true,
                "sequence split; keys and values walk around a ring", "arXiv 2310.01889",
                [](Axes a, Deal deal, const WeightRow& w) { return ring(single(a[0]), deal, w); }},
    StrategyRow{
        "ring_homing", "ring", StrategyKind::ring, "r", "", "r", true,
        "ring attention whose f32 key and value gradients come home",
        "github.com/zhuzilin/ring-flash-attention",
        [](Axes a, Deal deal, const WeightRow& w) { return ring_homing(single(a[0]), deal, w); }},
    StrategyRow{"double_ring", "double ring", StrategyKind::ring, "oi", "", "oi", true,
                "a ring within a node inside a ring across nodes", "arXiv 2406.18485",
                [](Axes a, Deal deal, const WeightRow& w) {
                  return double_ring(single(a[0]), single(a[1]), deal, w);
                }},
    StrategyRow{"double_ring_homing", "double ring", StrategyKind::ring, "oi", "", "oi", true,
                "double ring whose f32 key and value gradients come home", "arXiv 2509.19836",
                [](Axes a, Deal deal, const WeightRow& w) {
                  return double_ring_homing(single(a[0]), single(a[1]), deal, w);
                }},
    StrategyRow{
        "kv_gather", "gather", StrategyKind::ring, "c", "", "c", true,
        "sequence split; keys and values gathered for attention", "arXiv 2407.21783",
        [](Axes a, Deal deal, const WeightRow& w) { return kv_gather(single(a[0]), deal, w); }},
    StrategyRow{
        "usp", "USP", StrategyKind::ring, "ru", "u", "r", true, "Ulysses inside, a ring around it",
        "arXiv 2405.07719",
        [](Axes a, Deal deal, const WeightRow& w) { return usp(a[1], single(a[0]), deal, w); }},
    StrategyRow{"odysseus_zero3", "Odysseus", StrategyKind::tensor, "t", "t", "", false,
                "TP-SP attention; the MLP stays on its tokens, its weights travel",
                "github.com/feifeibear/Odysseus-Transformer",
                [](Axes a, Deal, const WeightRow&) { return odysseus(a[0]); }},
    StrategyRow{"local", "local", StrategyKind::local, "s", "", "s", true,
                "sequence split and nothing else: for the MLP half", "",
                [](Axes a, Deal deal, const WeightRow& w) { return local(a[0].all(), deal, w); }},
    StrategyRow{"data", "data", StrategyKind::data, "p", "", "", true, "samples split over ranks",
                "arXiv 1910.02054",
                [](Axes a, Deal, const WeightRow& w) { return data(a[0].all(), w); }},
};

}  // namespace

std::span<const StrategyRow> strategy_rows() {
  return rows;
}

const StrategyRow* find_row(std::string_view name) {
  const auto it = std::ranges::find(rows, name, &StrategyRow::name);
  return it == rows.end() ? nullptr : &*it;
}

const char* name_of(Keep keep) {
  switch (keep) {
    case Keep::zero3:
      return "zero3";
    case Keep::zero2:
      return "zero2";
    case Keep::zero1:
      return "zero1";
    case Keep::ddp:
      return "ddp";
    case Keep::gradop:
      return "gradop";
  }
  return "";
}

std::string text_of(const Half& half) {
  std::string text;
  for (const Term& term : half)
    text += fmt::format("{}{}{}{}({})", text.empty() ? "" : " * ", term.row->name,
                        term.deal == Deal::blocks ? "" : fmt::format("_{}", name_of(term.deal)),
                        term.row->keeps_weights ? fmt::format("_{}", name_of(term.keep)) : "",
                        fmt::join(term.axes, ","));
  return text;
}

std::vector<std::string> published_strategies() {
  return {"tp",
          "tp_sp",
          "ulysses_zero3",
          "ring_zero3",
          "ring_homing_zero3",
          "double_ring_zero3",
          "kv_gather_zero3",
          "usp_zero3",
          "odysseus_zero3"};
}

}  // namespace ithaca
