#include "reports/odysseus_runs.h"

#include "models/error.h"
#include "reports/published_setups.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace ithaca {
namespace {

/// By words of a row's id: the name, the textbook's strategy.
struct Method {
  std::string_view word, name, strategy;
};
constexpr std::array methods{
    Method{"-ring-", "ring", "ring_zero3"}, Method{"-ulysses-", "Ulysses", "ulysses_zero3"},
    Method{"-odysseus_fsdp-", "Odysseus, MLP by FSDP", "odysseus_zero3"},
    Method{"-odysseus_zero3mlp-", "Odysseus, MLP by ZeRO-3", "odysseus_zero3"},
    Method{"-tpsp-", "TP-SP", "tp_sp"}};

const Method& method_of(const std::string& id) {
  const auto it = std::ranges::find_if(methods, [&](const Method& m) { return says(id, m.word); });
  require(it != methods.end(), "a run of the Odysseus benchmark is of a method it names");
  return *it;
}

std::string_view entry_of(std::string_view method, PublishedColumn column) {
  for (const PublishedEntry& e : published_entries())
    if (e.table == "new" && e.method == method && e.column == column) return e.entry;
  return "";
}

std::int64_t bytes_of(std::string_view entry, const OdysseusRun& run) {
  if (entry.empty() || entry == "0") return 0;
  const VolumeClaim claim = read_volume(entry);
  const LayerShape& s = run.shape;
  const std::int64_t elements =
      claim.Ld * s.b * s.L * s.d + claim.dd * s.d * s.d + claim.di * s.d * s.i;
  constexpr std::int64_t bf16_bytes = 2;
  return elements * bf16_bytes / (claim.over_ranks ? run.row.gpus : 1);
}

}  // namespace

SentBytes OdysseusRun::sent_bytes() const {
  const SentBytes step = priced.step.sent_bytes();
  return {step.activation / layers, step.weight / layers};
}

std::vector<OdysseusRun> odysseus_runs(const std::vector<PublishedRow>& rows,
                                       const TimeAccuracy& accuracy) {
  std::vector<OdysseusRun> runs;
  for (const PublishedRow& row : rows) {
    const auto time = std::ranges::find(accuracy.predictions, row.id, &TimePrediction::id);
    if (row.file != "odysseus" || time == accuracy.predictions.end()) continue;
    const auto setup = std::get<PublishedSetup>(setup_of(row));
    runs.push_back({row, *time, std::string(method_of(row.id).name),
                    price(setup.job, setup.strategy, setup.mesh, setup.recompute), setup.job.layers,
                    setup.job.shape});
  }
  return runs;
}

std::optional<SentBytes> published_bytes(const OdysseusRun& run) {
  const std::string_view method = published_method(method_of(run.row.id).strategy);
  if (method.empty()) return std::nullopt;
  return SentBytes{bytes_of(entry_of(method, PublishedColumn::activation_volume), run),
                   bytes_of(entry_of(method, PublishedColumn::weight_volume), run)};
}

std::optional<SentBytes> textbook_bytes(const OdysseusRun& run) {
  const std::string strategy(method_of(run.row.id).strategy);
  try {
    const Arrangement at =
        arrange(strategy, default_mesh(strategy, run.row.gpus, run.shape), run.shape);
    return count(layer_program(run.shape, at.strategy, at.mesh).program, run.row.gpus - 1)
        .sent_bytes();
  } catch (const InputError&) {  // impossible at this degree
    return std::nullopt;
  }
}

const OdysseusRun& OdysseusLength::predicted_best() const {
  return *std::ranges::min_element(runs, {}, &OdysseusRun::predicted_s);
}
bool OdysseusLength::decided() const {
  return lead > 0.05;
}
bool OdysseusLength::right() const {
  return predicted_best().method == runs.front().method;
}

std::vector<OdysseusLength> odysseus_lengths(const std::vector<OdysseusRun>& runs) {
  std::map<std::tuple<std::string, int, std::int64_t>, OdysseusLength> groups;
  for (const OdysseusRun& run : runs) {
    std::vector<OdysseusRun>& group =
        groups[{run.row.model.name, run.row.gpus, run.row.seq_len}].runs;
    // Some runs stand in two pictures.
    if (std::ranges::find(group, run.method, &OdysseusRun::method) == group.end())
      group.push_back(run);
  }
  std::vector<OdysseusLength> lengths;
  for (auto& [key, group] : groups) {
    if (group.runs.size() < 2) continue;
    std::ranges::sort(group.runs, {}, &OdysseusRun::measured_s);
    group.lead = group.runs[1].measured_s() / group.runs[0].measured_s() - 1;
    lengths.push_back(std::move(group));
  }
  return lengths;
}

OrderedPairs ordered_pairs(const std::vector<OdysseusLength>& lengths,
                           const std::function<std::optional<double>(const OdysseusRun&)>& figure) {
  constexpr double apart = 1.05;
  OrderedPairs found;
  for (const OdysseusLength& length : lengths)
    for (const OdysseusRun& slow : length.runs)
      for (const OdysseusRun& fast : length.runs) {
        if (slow.measured_s() <= apart * fast.measured_s()) continue;
        const auto more = figure(slow), less = figure(fast);
        if (!more || !less) continue;
        ++found.pairs;
        found.right += *more > *less ? 1 : 0;
      }
  return found;
}

}  // namespace ithaca
