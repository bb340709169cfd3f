// reports/report_input.h -- the files a report is made from: one plan.yaml and any number of
// run.json.
//
// What a file is follows from its content, never from its name.
#pragma once

#include "planner/plan_file.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ithaca {

/// One collective of a run: all its calls on one tensor in one phase, by one rank.
struct RunCollective {
  std::string phase, kind, axes, tensor;  ///< axes "r.u", major first
  std::int64_t calls = 0, predicted_bytes = 0, measured_bytes = 0;
};

struct RunBytes {
  std::int64_t predicted = 0, measured = 0;
};

/// A step on a rank: predicted by time() or measured by run().
struct NamedSpan {
  int rank = 0;
  std::string name, lane, phase;  ///< lane "compute", or the axes a collective runs on
  double begin_s = 0, end_s = 0;
};

/// What one run.json says.
struct RunRecord {
  std::string path, strategy, shape, dtype;
  Mesh mesh;
  std::vector<RunCollective> collectives;
  std::vector<std::pair<std::string, double>> max_relative_error;  ///< by tensor
  std::optional<double> tolerance;  ///< of those errors; f64: 1e-10 unless the file says otherwise
  RunBytes live_bytes, sent_bytes;
  std::vector<NamedSpan> spans;
  bool verified = false;
};

struct ReportInput {
  std::optional<PlanFile> plan;
  std::vector<RunRecord> runs;  ///< in the order of the files
};

/// InputError in one line for files that cannot be read, are neither kind or are incomplete, for a
/// second plan and for no file at all.
ReportInput read_report_input(const std::vector<std::string>& files);

/// InputError for anything that is not a complete run.json of schema "ithaca/1".
RunRecord load_run(const std::string& path);

}  // namespace ithaca
