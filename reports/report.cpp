#include "reports/report.h"

#include "models/error.h"
#include "models/nearest.h"
#include "reports/draw.h"
#include "reports/html.h"
#include "reports/markdown.h"
#include "reports/run_summary.h"
#include "reports/workshop.h"

#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

fs::path target_of(const std::string& directory) {
  if (directory.empty()) throw InputError("-o", "expected a directory, got nothing");
  fs::path target = fs::absolute(directory).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  if (fs::exists(target) && !fs::is_directory(target))
    throw InputError("-o",
                     fmt::format("expected a directory, got the file {}", in_quotes(directory)));
  return target;
}

ReportData data_of(ReportInput input, std::size_t map_candidates) {
  ReportData data;
  if (input.plan) data.plan = plan_data(*input.plan, map_candidates);
  data.runs = std::move(input.runs);
  return data;
}

void fill(const Workshop& workshop, const ReportData& data, bool pictures) {
  workshop.write("report.json", report_json(data).dump(1) + "\n");
  for (const auto& [name, text] : report_csv(data)) workshop.write(name, text);
  const Drawing drawing = pictures ? draw_figures(workshop.path().string()) : Drawing{};
  Document document = document_of(data);
  if (!drawing.problem.empty()) document.sections.front().notes.push_back(drawing.problem);
  std::vector<std::string> names;
  for (const auto& [name, svg] : drawing.pictures) names.push_back(name);
  workshop.write("report.md", to_markdown(document, names));
  workshop.write("index.html", to_html(document, drawing.pictures));
}

}  // namespace

WrittenReport write_report(const ReportRequest& request) {
  const fs::path target = target_of(request.directory);
  const ReportData data = data_of(read_report_input(request.files), request.map_candidates);
  const Workshop workshop(target);
  fill(workshop, data, request.pictures);
  workshop.deliver();
  return {(fs::path(request.directory) / "index.html").string(), run_summary(data.runs)};
}

}  // namespace ithaca
