#include "reports/published_text.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include <vector>

namespace ithaca {
namespace {

constexpr std::size_t columns = 120;

/// Reasons by number, each once.
class Notes {
 public:
  /// "forward-only (1)", or the verdict alone when there is nothing to say.
  std::string marked(const Judgement& j) {
    if (j.reason == "as counted") return name_of(j.verdict);
    const auto known = std::ranges::find(reasons_, j.reason);
    const auto number = known - reasons_.begin() + 1;
    if (known == reasons_.end()) reasons_.push_back(j.reason);
    return fmt::format("{} ({})", name_of(j.verdict), number);
  }
  std::string text() const {
    std::string out;
    for (std::size_t n = 0; n < reasons_.size(); ++n)
      out += fmt::format("  {:>4} {}\n", fmt::format("({})", n + 1),
                         wrapped(reasons_[n], columns - 7, 7));
    return out;
  }

 private:
  std::vector<std::string> reasons_;
};

/// Both tables side by side, one block a strategy.
TextTable grid_of(const StrategyTable& table, Notes& notes) {
  using enum PublishedColumn;
  TextTable grid({{""}, {"counted"}, {"old table"}, {"verdict"}, {"new table"}, {"verdict"}});
  for (const TableRow& row : table.rows) {
    if (row.published.empty()) continue;
    grid.add({row.strategy});
    for (const PublishedColumn column : {activation_label, activation_volume, weight_label,
                                         weight_volume, activation_memory, weight_memory}) {
      std::vector<std::string> cells(6);
      cells[0] = fmt::format("  {}", name_of(column));
      for (const Judgement& j : row.published) {
        if (j.published.column != column) continue;
        const std::size_t at = j.published.table == "old" ? 2 : 4;
        cells[1] = j.counted;
        cells[at] = j.published.entry;
        std::erase(cells[at], '$');
        cells[at + 1] = notes.marked(j);
      }
      grid.add(std::move(cells));
    }
  }
  return grid;
}

}  // namespace

VerdictTally tally(const StrategyTable& table) {
  VerdictTally t;
  for (const TableRow& row : table.rows)
    for (const Judgement& j : row.published) {
      ++t.all;
      t.right += j.verdict == Verdict::right ? 1 : 0;
    }
  return t;
}

std::string published_grid(const StrategyTable& table) {
  Notes notes;
  const std::string grid = grid_of(table, notes).text(2);
  return grid + '\n' + notes.text();
}

TextTable published_list(const StrategyTable& table) {
  TextTable text(
      {{"strategy"}, {"table"}, {"quantity"}, {"entry"}, {"verdict"}, {"counted"}, {"reason"}});
  for (const TableRow& row : table.rows)
    for (const Judgement& j : row.published)
      text.add({row.strategy, std::string(j.published.table),
                std::string(name_of(j.published.column)), std::string(j.published.entry),
                name_of(j.verdict), j.counted, j.reason});
  return text;
}

}  // namespace ithaca
