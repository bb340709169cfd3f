// The strategy table as CSV.
#include "reports/render_table.h"
#include "reports/text_table.h"

#include <fmt/format.h>
#include <utility>
#include <vector>

namespace ithaca {

std::string table_csv(const StrategyTable& table) {
  TextTable csv({{"model"},
                 {"L"},
                 {"b"},
                 {"strategy"},
                 {"degree"},
                 {"ulysses"},
                 {"ring"},
                 {"forward"},
                 {"backward"},
                 {"each_weight"},
                 {"activation_sent_elements"},
                 {"weight_sent_elements"},
                 {"activation_sent_bytes"},
                 {"weight_sent_bytes"},
                 {"total_sent_bytes"},
                 {"flops"},
                 {"saved_bytes_per_layer"},
                 {"layers"},
                 {"peak_bytes"},
                 {"error"}});
  const auto number = [](std::int64_t n) { return fmt::format("{}", n); };
  const TableRequest& r = table.request;
  for (const TableRow& row : table.rows) {
    std::vector<std::string> cells{r.model, number(r.shape.L), number(r.shape.b), row.strategy,
                                   number(r.degree)};
    if (row.error.empty()) {
      const SentBytes sent = row.count.sent_bytes();
      cells.insert(cells.end(),
                   {number(row.degrees.ulysses), number(row.degrees.ring), label(row.facts.forward),
                    label(row.facts.backward), label(row.facts.each_weight),
                    number(row.facts.activation.all()), number(row.facts.weight.all()),
                    number(sent.activation), number(sent.weight), number(sent.total()),
                    number(row.count.flops()), number(row.facts.saved.local_bytes),
                    number(r.layers), number(row.memory.peak_bytes)});
    } else {
      cells.resize(19);
      cells.push_back(row.error);
    }
    csv.add(std::move(cells));
  }
  return csv.csv();
}

}  // namespace ithaca
