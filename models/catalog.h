// models/catalog.h -- strategies by name, and the small language that composes them.
//
//     expression = half [ "|" half [ "|" half ] ]   attention and residual stream | MLP | ends; the last serves the rest
//     half       = term { "*" term }          joined axes, the slowest links first
//     term       = name [ "(" axis { "," axis } ")" ]
//     name       = row [ "_zigzag" | "_stripes" ] [ "_zero3" | "_zero2" | "_zero1" | "_ddp" | "_gradop" ]
//
// The MLP half deals tokens as the attention half does unless it says otherwise.
// Example: `ring_zigzag_zero3(r) * ulysses_zero3(u) | local_zero3(r) * tp_sp(u)` on the mesh `r=2,u=4`.
#pragma once

#include "models/layer_shape.h"
#include "models/strategy.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

/// What a strategy splits and sends: matrices, heads around attention, keys and values, or only tokens or samples.
enum class StrategyKind : std::uint8_t { tensor, heads, ring, local, data };

/// One table of strategies/, as a row of the catalog.
struct StrategyRow {
  std::string_view name;
  std::string_view word;           ///< for people: "TP-SP", "gather"
  StrategyKind kind;               ///< of usp, that of its outer axis
  std::string_view axes;           ///< default axis of each argument, one letter each, major first
  std::string_view spreads_heads;  ///< those of them whose ranks share the heads
  std::string_view dealt;  ///< those whose tokens _zigzag and _stripes deal; none: takes neither
  bool keeps_weights;      ///< takes _zero3, _ddp and the like (zero3 when none is said)
  std::string_view sentence, paper;
  Strategy (*make)(std::span<const HeadAxes> axes, Deal, const WeightRow&);
};
std::span<const StrategyRow> strategy_rows();
/// The row of that name, or nullptr.
const StrategyRow* find_row(std::string_view name);

/// How a row keeps its weights; gradop is ZeRO-3 whose gathered weights serve the backward too, FSDP's SHARD_GRAD_OP.
/// HSDP is a composition: `data_ddp(p) * ulysses_zero3(u)`.
enum class Keep : std::uint8_t { zero3, zero2, zero1, ddp, gradop };
/// As expressions spell it: "zero3".
const char* name_of(Keep);

/// A row on axes of a mesh.  `deal` and `keep` count only where the row takes them.
struct Term {
  const StrategyRow* row;
  Deal deal = Deal::blocks;
  Keep keep = Keep::zero3;
  std::vector<std::string> axes;
  bool operator==(const Term&) const = default;
};
using Half = std::vector<Term>;
/// Half an expression: "ring_zigzag_zero3(r) * tp(t)".
std::string text_of(const Half&);

/// The names `table` shows for one degree, in order: tp, tp_sp, ulysses_zero3, ...
std::vector<std::string> published_strategies();

/// A mesh as users write it: "r=2,u=4", slowest links first.  Throws InputError with key "--mesh".
Mesh parse_mesh(std::string_view text);

/// A strategy on a mesh that fits a shape: head axes with more ranks than KV heads are split in two, `u` into
/// `u_rep` and `u`.
struct Arrangement {
  std::string name;  ///< the expression
  Mesh mesh;
  Strategy strategy;
};
/// Throws InputError with key "--strategy" or "--mesh" for unknown names (with the nearest), axes the mesh lacks,
/// axes of the mesh the strategy leaves out, and heads that do not divide.
Arrangement arrange(std::string_view expression, const Mesh& mesh, const LayerShape& shape);

/// The default mesh of an expression at a degree: all ranks on its only axis; for two (usp) the second, Ulysses,
/// gets `ulysses` ranks, or gcd(KV heads, degree) of them but not all, and the ring the rest; of a double ring the outer
/// axis gets the largest divisor that is no more than the inner one.
Mesh default_mesh(std::string_view expression, int degree, const LayerShape& shape,
                  int ulysses = 0);

}  // namespace ithaca
