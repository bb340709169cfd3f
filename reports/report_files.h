// reports/report_files.h -- the data of a report for programs: report.json and one CSV per picture.
#pragma once

#include "reports/report_data.h"

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ithaca {

/// What a report shows.
struct ReportData {
  std::optional<PlanData> plan;
  std::vector<RunRecord> runs;
};

/// Schema "ithaca/1", kind "report"; bytes and seconds.
nlohmann::ordered_json report_json(const ReportData&);

/// Names and texts: ranking.csv, volume.csv, best.csv, memory.csv, predicted_measured.csv and
/// timeline.csv, those without data left out.  Bytes and seconds, every digit.
std::vector<std::pair<std::string, std::string>> report_csv(const ReportData&);

}  // namespace ithaca
