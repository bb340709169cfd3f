#include "reports/document.h"
#include "reports/format.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace ithaca {
namespace {

std::string equal_text(const RunBytes& b) {
  return b.predicted == b.measured ? "equal" : "DIFFERENT";
}

DocumentTable totals_of(const RunRecord& run) {
  DocumentTable table{"Totals of one rank",
                      {{"", Align::left},
                       {"predicted, bytes", Align::right},
                       {"measured, bytes", Align::right},
                       {"", Align::left}},
                      {}};
  const auto add = [&](const char* name, const RunBytes& b) {
    table.rows.push_back({name, grouped(b.predicted), grouped(b.measured), equal_text(b)});
  };
  add("sent", run.sent_bytes);
  add("held at the peak", run.live_bytes);
  return table;
}

DocumentTable collectives_of(const RunRecord& run) {
  DocumentTable table{"Bytes sent by one rank, by collective",
                      {{"phase", Align::left},
                       {"collective", Align::left},
                       {"axes", Align::left},
                       {"tensor", Align::left},
                       {"calls", Align::right},
                       {"predicted", Align::right},
                       {"measured", Align::right},
                       {"", Align::left}},
                      {}};
  for (const RunCollective& c : run.collectives)
    table.rows.push_back({c.phase, c.kind, c.axes, c.tensor, grouped(c.calls),
                          grouped(c.predicted_bytes), grouped(c.measured_bytes),
                          equal_text({c.predicted_bytes, c.measured_bytes})});
  return table;
}

Section comparison(const RunRecord& run, std::size_t number) {
  const std::string file = std::filesystem::path(run.path).filename().string();
  Section section{
      fmt::format("Predicted beside measured: {}", file), {}, {}, {}, {}, "predicted_measured.csv"};
  double worst = 0;
  for (const auto& [tensor, error] : run.max_relative_error) worst = std::max(worst, error);
  section.paragraphs.push_back(fmt::format(
      "{}: {} on {}, shape {}, in {}. The largest relative error of an output or "
      "gradient against one rank is {:.2g}{}.",
      run.verified ? "✓ Verified" : "✗ NOT verified", run.strategy,
      run.mesh.extents().empty() ? "one rank" : to_string(run.mesh), run.shape, run.dtype, worst,
      run.tolerance ? fmt::format(" (tolerance {:.0e})", *run.tolerance) : ""));
  section.figures.push_back(
      {fmt::format("measured_{}", number),
       "Left: what each collective sends, predicted by count and counted by the communicator. "
       "Right: each output and gradient of the sharded run against one rank."});
  section.tables = {totals_of(run), collectives_of(run)};
  return section;
}

bool is_of_another(const RunRecord& run, const PlanData& plan) {
  const Arrangement& at = plan.priced.arrangement;
  return run.strategy != at.name || run.mesh != at.mesh;
}

Section timeline(const RunRecord& run, std::size_t number) {
  Section section{
      fmt::format("Measured timeline: {}", std::filesystem::path(run.path).filename().string()),
      {},
      {},
      {},
      {},
      "timeline.csv"};
  section.figures.push_back(
      {fmt::format("timeline_run_{}", number), "When each rank computed and communicated."});
  section.notes.push_back(
      "Measured where the run took place, on the ranks it had; the predicted timeline is of the "
      "cluster. Compare their order, not their lengths.");
  return section;
}

}  // namespace

std::vector<Section> run_sections(const RunRecord& run, std::size_t number, const PlanData* plan) {
  std::vector<Section> sections{comparison(run, number), timeline(run, number)};
  if (plan != nullptr && is_of_another(run, *plan))
    sections.front().notes.push_back(
        fmt::format("This run is not of the plan above, which is {} on {}.",
                    plan->priced.arrangement.name, to_string(plan->priced.arrangement.mesh)));
  return sections;
}

}  // namespace ithaca
