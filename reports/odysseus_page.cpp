#include "reports/odysseus_page.h"

#include "models/error.h"
#include "reports/accuracy_text.h"
#include "reports/format.h"
#include "reports/odysseus_reasons.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

std::string seconds(double s) {
  return fmt::format("{:.3f} s", s);
}
std::string bytes_text(const std::optional<SentBytes>& sent) {
  return sent ? fmt::format("{} + {}", decimal_bytes(sent->activation), decimal_bytes(sent->weight))
              : "";
}
std::string total_text(const std::optional<SentBytes>& sent, const SentBytes& ran) {
  if (!sent || sent->total() == 0) return "";
  return fmt::format("{:.2f} x",
                     static_cast<double>(ran.total()) / static_cast<double>(sent->total()));
}

std::string verdict(const OdysseusLength& length) {
  if (length.right()) return "right";
  return length.decided() ? "WRONG" : "another, within 5 %";
}

TextTable winners(const std::vector<OdysseusLength>& lengths) {
  TextTable table({{"model", Align::left},
                   {"GPUs", Align::right},
                   {"tokens", Align::right},
                   {"measured fastest", Align::left},
                   {"", Align::right},
                   {"measured second", Align::left},
                   {"slower by", Align::right},
                   {"predicted fastest", Align::left},
                   {"", Align::right},
                   {"verdict", Align::left}});
  for (const OdysseusLength& l : lengths) {
    const OdysseusRun &first = l.runs[0], &second = l.runs[1], &pick = l.predicted_best();
    table.add({first.row.model.name, std::to_string(first.row.gpus), grouped(first.row.seq_len),
               first.method, seconds(first.measured_s()), second.method, percent(l.lead),
               pick.method, seconds(pick.predicted_s()), verdict(l)});
  }
  return table;
}

TextTable runs_table(const std::vector<OdysseusLength>& lengths) {
  TextTable table({{"tokens", Align::right},
                   {"GPUs", Align::right},
                   {"method", Align::left},
                   {"measured", Align::right},
                   {"predicted", Align::right},
                   {"error", Align::right},
                   {"of it computing", Align::right},
                   {"exposed", Align::right},
                   {"reserved of capacity", Align::right}});
  for (const OdysseusLength& l : lengths)
    for (const OdysseusRun& r : l.runs) {
      const auto reserved = r.row.metric("mem_reserved_gib");
      table.add({grouped(r.row.seq_len), std::to_string(r.row.gpus), r.method,
                 seconds(r.measured_s()), seconds(r.predicted_s()), signed_percent(r.time.error()),
                 seconds(r.priced.time.compute_s),
                 percent(r.priced.time.exposed_comm_s / r.priced.time.step_s),
                 reserved && r.row.gpu_mem_gb > 0
                     ? percent(*reserved / static_cast<double>(r.row.gpu_mem_gb))
                     : ""});
    }
  return table;
}

TextTable volumes(const std::vector<OdysseusLength>& lengths) {
  TextTable table({{"tokens", Align::right},
                   {"GPUs", Align::right},
                   {"method", Align::left},
                   {"published table", Align::right},
                   {"textbook, counted", Align::right},
                   {"as it ran, counted", Align::right},
                   {"ran over published", Align::right},
                   {"ran over textbook", Align::right}});
  for (const OdysseusLength& l : lengths)
    for (const OdysseusRun& r : l.runs) {
      if (r.row.gpus == 1) continue;
      const SentBytes ran = r.sent_bytes();
      const auto published = published_bytes(r), textbook = textbook_bytes(r);
      table.add({grouped(r.row.seq_len), std::to_string(r.row.gpus), r.method,
                 bytes_text(published), bytes_text(textbook), bytes_text(ran),
                 total_text(published, ran), total_text(textbook, ran)});
    }
  return table;
}

}  // namespace

Document odysseus_document(const std::vector<OdysseusRun>& runs) {
  require(!runs.empty(), "a page of the Odysseus benchmark needs a run");
  const std::vector<OdysseusLength> lengths = odysseus_lengths(runs);
  const auto decided = std::ranges::count_if(lengths, &OdysseusLength::decided);
  const auto right = std::ranges::count_if(
      lengths, [](const OdysseusLength& l) { return l.decided() && l.right(); });
  const OrderedPairs pairs = ordered_pairs(
      lengths, [](const OdysseusRun& r) -> std::optional<double> { return r.predicted_s(); });
  Document page;
  page.title = "The Odysseus benchmark explained";
  page.headline = fmt::format(
      "Where the two fastest were measured to differ by more than 5 %, the fastest is predicted at "
      "{} of {} lengths; of all pairs that differ by more than 5 %, {} of {} are in order.",
      right, decided, pairs.right, pairs.pairs);
  page.sections = {
      section("Which method is fastest", winners(lengths),
              "Written by `ithaca validate`.  Predicted under the profile of what ran: the "
              "repository's blocking linears, and one unit of FSDP for all else."),
      section("Every length", runs_table(lengths)),
      section("What a rank sends for a layer: activations + weights", volumes(lengths),
              "The published table of August 2024 with O() taken as 1 and bf16; the textbook's "
              "program with ZeRO-3 in both passes; the program that ran, its update and ends "
              "shared out over the layers."),
      odysseus_reasons(runs, lengths), odysseus_residuals(runs)};
  return page;
}

}  // namespace ithaca
