#include "reports/render_table.h"

#include "reports/format.h"
#include "reports/published_text.h"
#include "reports/text_table.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace ithaca {
namespace {

constexpr std::size_t columns = 120;

/// The integers taken.
std::string header(const TableRequest& r) {
  const LayerShape& n = r.shape;
  const std::string mask = n.mask == Mask() ? "" : ", mask " + short_text(n.mask);
  return fmt::format(
      "{} on N = {} ranks, L = {} tokens, b = {} (d = {}, i = {} {}, {} query and {} KV heads of "
      "{}{})",
      r.model, r.degree, n.L, n.b, n.d, n.i, title_of(n.act), n.h(), n.k, n.e, mask);
}
std::string profile_line(const TableRequest& r) {
  return is_reference(r.profile) ? "" : fmt::format("Priced as {} does\n\n", r.profile.name);
}

bool possible(const TableRow& row) {
  return row.error.empty();
}

TextTable sent_table(const StrategyTable& table) {
  using enum Align;
  TextTable text({{"strategy", left},
                  {"mesh", left},
                  {"forward", right},
                  {"backward", right},
                  {"each weight", right},
                  {"activations", right},
                  {"weights", right},
                  {"total", right}});
  for (const TableRow& row : table.rows) {
    if (!possible(row)) {
      text.add({row.strategy, "impossible here"});
      continue;
    }
    const SentBytes sent = row.count.sent_bytes();
    text.add({row.strategy, to_string(row.mesh), label(row.facts.forward),
              label(row.facts.backward), label(row.facts.each_weight),
              decimal_bytes(sent.activation), decimal_bytes(sent.weight),
              decimal_bytes(sent.total())});
  }
  return text;
}

TextTable form_table(const StrategyTable& table) {
  using enum Align;
  TextTable text({{"strategy", left},
                  {"activations", left},
                  {"weights", left},
                  {"saved", right},
                  {"of one rank", left},
                  {"peak", right}});
  for (const TableRow& row : table.rows)
    if (possible(row))
      text.add({row.strategy, text_beside(row.closed_form.activation, row.facts.activation.all()),
                text_beside(row.closed_form.weight, row.facts.weight.all()),
                binary_bytes(row.facts.saved.local_bytes), text_of(row.facts.saved),
                binary_bytes(row.memory.peak_bytes)});
  return text;
}

std::string letters(const StrategyTable& table) {
  const bool all_hold = std::ranges::all_of(table.rows, [](const TableRow& row) {
    return holds(row.closed_form.activation, row.facts.activation.all()) &&
           holds(row.closed_form.weight, row.facts.weight.all());
  });
  std::string text{closed_form_letters()};
  if (!all_hold) text += "; (x1.50): the count is 1.50 times the closed form";
  return text;
}

/// The error without its flag, for the strategy was not the user's choice here, and without the
/// catalog's name of it, which begins ours.
std::string bare(const TableRow& row) {
  std::string_view text = row.error;
  const std::string_view flag = "--strategy: ";
  if (text.starts_with(flag)) text.remove_prefix(flag.size());
  const std::size_t colon = text.find(": ");
  if (colon != std::string_view::npos && row.strategy.starts_with(text.substr(0, colon)))
    text.remove_prefix(colon + 2);
  return std::string(text);
}

std::string crossover_text(const Crossover& c) {
  const std::string& less = c.less_when_longer;
  const std::string& more = less == c.first ? c.second : c.first;
  if (!c.tokens) return fmt::format("{} always sends less than {}", less, more);
  return fmt::format("{} sends less than {} beyond {} tokens", less, more,
                     grouped(std::llround(*c.tokens)));
}

/// Of the pairs that are possible.
std::string crossover_lines(const StrategyTable& table, std::string_view bullet) {
  std::string lines;
  for (const Crossover& c : table.crossovers)
    if (c.error.empty()) lines += fmt::format("{}{}\n", bullet, crossover_text(c));
  return lines;
}

std::string errors_text(const StrategyTable& table) {
  std::string text;
  for (const TableRow& row : table.rows)
    if (!possible(row))
      text += "  " + wrapped(row.strategy + ": " + bare(row), columns - 2, 4) + '\n';
  return text;
}

std::string memory_caption(const TableRequest& r) {
  return fmt::format(
      "Closed forms in elements; bytes saved for the backward per layer; peak of the tensors of {} "
      "layer{} "
      "with Adam",
      r.layers, r.layers == 1 ? "" : "s");
}

}  // namespace

std::string table_text(const StrategyTable& table) {
  std::string out = header(table.request) + "\n\n" + profile_line(table.request);
  out +=
      "Sent by one rank for one layer (all-gather, reduce-scatter, all-reduce, all-to-all, "
      "point to point)\n\n";
  out += sent_table(table).text(2) + '\n';
  if (const TextTable forms = form_table(table); !forms.empty()) {
    out += wrapped(memory_caption(table.request), columns, 0) + "\n\n" + forms.text(2) + '\n';
    out += "  " + wrapped(letters(table), columns - 2, 2) + "\n\n";
  }
  if (const std::string errors = errors_text(table); !errors.empty())
    out += "Impossible here\n\n" + errors + '\n';
  if (const VerdictTally t = tally(table); t.all > 0) {
    out += fmt::format(
        "Beside the two tables published with Odysseus: {} of {} entries are right "
        "for this shape\n\n",
        t.right, t.all);
    out += published_grid(table) + '\n';
  }
  const std::string crossings = crossover_lines(table, "  ");
  if (!crossings.empty()) out += "Where volumes cross, solved from the counts\n\n" + crossings;
  return out;
}

std::string table_markdown(const StrategyTable& table) {
  std::string out = fmt::format("# Strategies for {}\n\n", header(table.request));
  out += profile_line(table.request);
  out += "Sent by one rank, one layer, forward and backward:\n\n" + sent_table(table).markdown();
  out += fmt::format("\n{}:\n\n", memory_caption(table.request)) + form_table(table).markdown();
  out += fmt::format("\n{}\n", letters(table));
  if (const std::string errors = errors_text(table); !errors.empty()) out += '\n' + errors;
  if (const VerdictTally t = tally(table); t.all > 0) {
    out += fmt::format(
        "\n## Beside the published tables\n\n{} of {} entries are right for this "
        "shape.\n\n",
        t.right, t.all);
    out += published_list(table).markdown();
  }
  const std::string crossings = crossover_lines(table, "- ");
  if (!crossings.empty()) out += "\n## Where volumes cross\n\n" + crossings;
  return out;
}

}  // namespace ithaca
