// reports/report.h -- one report from a plan and its runs: HTML, Markdown, data and pictures.
//
//     index.html   one file that loads nothing, pictures inside
//     report.md    the same for pull requests
//     report.json  all data; ranking, volume, best, memory, predicted_measured and timeline as CSV
//     *.png *.svg  the pictures, when a python3 with matplotlib is found
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ithaca {

struct ReportRequest {
  std::vector<std::string> files;  ///< at most one plan.yaml, any number of run.json
  std::string directory;           ///< made when it is not there
  /// Most choices priced for the map of best strategies; the job's own number of GPUs always is.
  std::size_t map_candidates = 18000;
  bool pictures = true;  ///< false: neither draws nor looks for an interpreter
};

struct WrittenReport {
  std::string html;       ///< path of the HTML file
  std::string runs_text;  ///< run_summary() of its runs
};

/// InputError for wrong files and EnvironmentError when the directory
/// cannot be written, both before anything is written there.
WrittenReport write_report(const ReportRequest&);

}  // namespace ithaca
