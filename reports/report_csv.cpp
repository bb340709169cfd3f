#include "reports/format.h"
#include "reports/report_files.h"
#include "reports/text_table.h"

#include <fmt/format.h>

namespace ithaca {
namespace {

TextTable table_of(const std::vector<std::string>& headers) {
  std::vector<TextTable::Column> columns;
  columns.reserve(headers.size());
  for (const std::string& header : headers) columns.push_back({header, Align::left});
  return TextTable(std::move(columns));
}

template <class... Values>
std::vector<std::string> cells(const Values&... values) {
  return {fmt::format("{}", values)...};
}

std::string ranking_csv(const Plan& plan) {
  TextTable table = table_of({"rank", "strategy", "mesh", "recompute", "step_s", "compute_s",
                              "exposed_comm_s", "peak_bytes", "sent_bytes"});
  std::size_t rank = 0;
  for (const Ranked& r : plan.ranking)
    table.add(cells(++rank, r.choice.expression(), to_string(r.choice.mesh),
                    text_of(Recompute(r.choice.recompute)), r.step_s, r.compute_s, r.exposed_comm_s,
                    r.peak_bytes, r.sent_bytes));
  return table.csv();
}

std::string volume_csv(const PlanData& data) {
  TextTable table =
      table_of({"strategy", "gpus", "seq", "activation_bytes", "weight_bytes", "sent_bytes"});
  for (const VolumePoint& p : data.volume)
    table.add(cells(p.strategy, data.file.job.gpus, p.seq, p.sent_bytes.activation,
                    p.sent_bytes.weight, p.sent_bytes.total()));
  return table.csv();
}

std::string best_csv(const std::vector<BestCell>& best) {
  TextTable table = table_of({"gpus", "seq", "state", "strategy", "mesh", "recompute", "step_s",
                              "peak_bytes", "sent_bytes", "reason"});
  for (const BestCell& c : best) {
    const Ranked& r = c.best;
    if (c.state == CellState::fits)
      table.add(cells(c.gpus, c.seq, name_of(c.state), r.choice.expression(),
                      to_string(r.choice.mesh), text_of(Recompute(r.choice.recompute)), r.step_s,
                      r.peak_bytes, r.sent_bytes, ""));
    else
      table.add(cells(c.gpus, c.seq, name_of(c.state), "", "", "", "", "", "", c.reason));
  }
  return table.csv();
}

std::string memory_csv(const std::vector<MemoryBar>& bars) {
  std::vector<std::string> headers{"rank_in_plan", "strategy", "mesh", "recompute"};
  for (std::size_t r = 0; r < memory_roles; ++r)
    headers.push_back(fmt::format("{}_bytes", name_of(static_cast<MemoryRole>(r))));
  for (const char* more : {"context_bytes", "communicator_bytes", "all_to_all_bytes",
                           "gathered_bytes", "bucket_bytes", "peak_bytes"})
    headers.emplace_back(more);
  TextTable table = table_of(headers);
  for (const MemoryBar& b : bars) {
    std::vector<std::string> row =
        cells(b.rank_in_plan, b.strategy, to_string(b.mesh), text_of(Recompute(b.recompute)));
    for (const std::int64_t bytes : b.by_role) row.push_back(fmt::format("{}", bytes));
    for (std::string& cell : cells(b.overheads.context_bytes, b.overheads.communicator_bytes,
                                   b.overheads.all_to_all_bytes, b.overheads.gathered_bytes,
                                   b.overheads.bucket_bytes, b.peak_bytes()))
      row.push_back(std::move(cell));
    table.add(std::move(row));
  }
  return table.csv();
}

std::string measured_csv(const std::vector<RunRecord>& runs) {
  TextTable table = table_of(
      {"run", "quantity", "phase", "kind", "axes", "tensor", "calls", "predicted", "measured"});
  for (const RunRecord& run : runs) {
    for (const RunCollective& c : run.collectives)
      table.add(cells(run.path, "sent_bytes", c.phase, c.kind, c.axes, c.tensor, c.calls,
                      c.predicted_bytes, c.measured_bytes));
    table.add(cells(run.path, "total_sent_bytes", "", "", "", "", "", run.sent_bytes.predicted,
                    run.sent_bytes.measured));
    table.add(cells(run.path, "live_bytes", "", "", "", "", "", run.live_bytes.predicted,
                    run.live_bytes.measured));
    for (const auto& [tensor, error] : run.max_relative_error)
      table.add(cells(run.path, "max_relative_error", "", "", "", tensor, "", "", error));
  }
  return table.csv();
}

std::string timeline_csv(const ReportData& data) {
  TextTable table = table_of({"source", "rank", "lane", "phase", "name", "begin_s", "end_s"});
  const auto add = [&](const std::string& source, const std::vector<NamedSpan>& spans) {
    for (const NamedSpan& s : spans)
      table.add(cells(source, s.rank, s.lane, s.phase, s.name, s.begin_s, s.end_s));
  };
  if (data.plan) add("predicted", data.plan->timeline);
  for (const RunRecord& run : data.runs) add(run.path, run.spans);
  return table.csv();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> report_csv(const ReportData& data) {
  std::vector<std::pair<std::string, std::string>> files;
  if (data.plan) {
    files.emplace_back("ranking.csv", ranking_csv(data.plan->plan));
    files.emplace_back("volume.csv", volume_csv(*data.plan));
    files.emplace_back("best.csv", best_csv(data.plan->best));
    files.emplace_back("memory.csv", memory_csv(data.plan->memory));
  }
  if (!data.runs.empty()) files.emplace_back("predicted_measured.csv", measured_csv(data.runs));
  files.emplace_back("timeline.csv", timeline_csv(data));
  return files;
}

}  // namespace ithaca
