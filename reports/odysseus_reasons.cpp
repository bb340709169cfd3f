#include "reports/odysseus_reasons.h"

#include "reports/accuracy_text.h"
#include "reports/crossover.h"
#include "reports/format.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace ithaca {
namespace {

std::optional<double> total(const std::optional<SentBytes>& sent) {
  return sent ? std::optional(static_cast<double>(sent->total())) : std::nullopt;
}

/// How much of the measured order each account of a method gets right.
TextTable orders(const std::vector<OdysseusLength>& lengths) {
  TextTable table(
      {{"what orders the methods", Align::left}, {"pairs in the measured order", Align::right}});
  const auto add = [&](const char* name, const auto& figure) {
    const OrderedPairs o = ordered_pairs(lengths, figure);
    table.add({name, right_of(o.right, o.pairs)});
  };
  using Run = const OdysseusRun&;
  add("bytes by the published table", [](Run r) { return total(published_bytes(r)); });
  add("bytes of the textbook's program, counted", [](Run r) { return total(textbook_bytes(r)); });
  add("bytes of the program that ran, counted", [](Run r) { return total(r.sent_bytes()); });
  add("exposed communication, predicted",
      [](Run r) -> std::optional<double> { return r.priced.time.exposed_comm_s; });
  add("time, predicted", [](Run r) -> std::optional<double> { return r.predicted_s(); });
  return table;
}

const OdysseusRun* find(const std::vector<OdysseusRun>& runs, std::string_view method) {
  for (const OdysseusRun& r : runs)
    if (r.method == method && r.row.gpus > 1) return &r;
  return nullptr;
}

std::string exposed_note(const std::vector<OdysseusRun>& runs) {
  std::vector<double> shares;
  for (const OdysseusRun& r : runs)
    if (r.row.gpus > 1) shares.push_back(r.priced.time.exposed_comm_s / r.priced.time.step_s);
  if (shares.empty()) return "No run is on several GPUs.";
  std::ranges::sort(shares);
  return fmt::format(
      "A table of volumes orders methods by a part of the step only: exposed communication is {} "
      "to {} of the predicted steps on several GPUs, {} in the median.",
      percent(shares.front()), percent(shares.back()), percent(quantile(shares, 0.5)));
}

/// How often the weights really travel.
void add_weight_notes(const std::vector<OdysseusRun>& runs, std::vector<std::string>& notes) {
  for (const char* const name : {"Ulysses", "ring", "Odysseus, MLP by ZeRO-3"}) {
    const OdysseusRun* const r = find(runs, name);
    const auto published = r ? published_bytes(*r) : std::nullopt;
    const auto textbook = r ? textbook_bytes(*r) : std::nullopt;
    if (!published || !textbook || published->weight == 0) continue;
    const double N = r->row.gpus, share = (N - 1) / N;
    notes.push_back(fmt::format(
        "{}: the table's volume of weights is {} a layer, {:.2f} times less than the textbook's "
        "program sends: it states parameters, not their traffic.  The benchmark sends {}, {:.2f} "
        "of the textbook's, as it gathers by units of FSDP or by its own linear.",
        name, decimal_bytes(published->weight),
        static_cast<double>(textbook->weight) / (share * static_cast<double>(published->weight)),
        decimal_bytes(r->sent_bytes().weight),
        static_cast<double>(r->sent_bytes().weight) / static_cast<double>(textbook->weight)));
  }
}

/// Where the sent bytes cross, beside "lower when L > i", which the table's README says.
void add_crossovers(const OdysseusRun& run, std::vector<std::string>& notes) {
  for (const Crossover& c : crossovers(run.shape, run.row.gpus))
    if (c.second == "odysseus_zero3" && c.tokens && c.first != "ring_zero3")
      notes.push_back(fmt::format(
          "The README has Odysseus send less than {} when L > i, here {} tokens.  Counted on {} "
          "GPUs both send the same at {} tokens, and beyond it {} sends less: the claim {}.",
          published_method(c.first), grouped(run.shape.i), run.row.gpus,
          grouped(static_cast<std::int64_t>(*c.tokens)), published_method(c.less_when_longer),
          c.less_when_longer != "odysseus_zero3" ? "has the wrong direction"
          : *c.tokens > 1.05 * static_cast<double>(run.shape.i)
              ? fmt::format("holds from {:.2f} i only",
                            *c.tokens / static_cast<double>(run.shape.i))
              : "holds"));
}

/// The length from which Odysseus was faster than TP-SP, as measured and as predicted.
void add_turn(const std::vector<OdysseusLength>& lengths, std::vector<std::string>& notes) {
  for (const OdysseusLength& l : lengths) {
    const OdysseusRun* const a = find(l.runs, "Odysseus, MLP by ZeRO-3");
    const OdysseusRun* const b = find(l.runs, "TP-SP");
    if (a == nullptr || b == nullptr) continue;
    notes.push_back(fmt::format(
        "{} tokens on {} GPUs, {}: Odysseus against TP-SP {} as measured, {} as predicted.",
        grouped(a->row.seq_len), a->row.gpus, a->row.model.name,
        signed_percent(a->measured_s() / b->measured_s() - 1),
        signed_percent(a->predicted_s() / b->predicted_s() - 1)));
  }
}

}  // namespace

Section odysseus_reasons(const std::vector<OdysseusRun>& runs,
                         const std::vector<OdysseusLength>& lengths) {
  Section s = section("Why measurement and published analysis differ", orders(lengths),
                      "Pairs are methods of one length that were measured to differ by more than "
                      "5 %.  An account that explained the benchmark would order all of them.");
  s.notes.push_back(exposed_note(runs));
  add_weight_notes(runs, s.notes);
  const auto widest = std::ranges::max_element(runs, {}, [](const OdysseusRun& r) {
    return std::pair(r.row.gpus, r.shape.h() == r.shape.k);
  });
  if (widest->row.gpus > 1) add_crossovers(*widest, s.notes);
  add_turn(lengths, s.notes);
  return s;
}

Section odysseus_residuals(const std::vector<OdysseusRun>& runs) {
  Section found{"What stays unexplained", {}, {}, {}, {}, "accuracy.csv"};
  std::map<std::string, std::vector<double>> errors;
  std::vector<double> with_eight;
  for (const OdysseusRun& r : runs) {
    errors[r.method].push_back(r.time.error());
    with_eight.push_back(r.predicted_s() / (r.measured_s() * 7 / 8) - 1);
  }
  for (const auto& [method, all] : errors) {
    const ErrorStatistics s = statistics(all);
    found.notes.push_back(fmt::format("{}: bias {} over {} runs, largest error {}.", method,
                                      signed_percent(s.bias), s.rows, percent(s.max)));
  }
  found.notes.push_back(fmt::format(
      "The printed total is divided by 7 steps, as the benchmark's code counts them.  By 8 the "
      "bias of all runs would be {}; a slower box explains as much, so 7 stays.",
      signed_percent(statistics(with_eight).bias)));
  return found;
}

}  // namespace ithaca
