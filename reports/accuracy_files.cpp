#include "reports/accuracy_files.h"

#include "models/error.h"
#include "reports/accuracy_page.h"
#include "reports/claims.h"
#include "reports/draw.h"
#include "reports/error_bands.h"
#include "reports/html.h"
#include "reports/markdown.h"
#include "reports/memory_accuracy_text.h"
#include "reports/odysseus_page.h"
#include "reports/time_accuracy_text.h"
#include "reports/workshop.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

fs::path target_of(const std::string& folder) {
  if (fs::exists(folder) && !fs::is_directory(folder))
    throw InputError("--output", fmt::format("expected a folder, got the file \"{}\"", folder));
  fs::path target = fs::absolute(folder).lexically_normal();
  return target.has_filename() ? target : target.parent_path();
}

bool has_file(const PublishedAccuracy& all, std::string_view file) {
  return std::ranges::find(all.rows, file, &PublishedRow::file) != all.rows.end();
}

}  // namespace

std::string write_accuracy(const PublishedAccuracy& all, const std::string& folder) {
  const Workshop workshop(target_of(folder));
  const auto write = [&](const std::string& name, const std::string& text) {
    workshop.write(name, text);
  };
  write("accuracy.csv", time_csv(all.time));
  write("accuracy_memory.csv", memory_csv(all.memory));
  write("error_bands.yaml", bands_yaml(error_bands(all.time)));
  Drawing drawing;
  if (!all.time.predictions.empty()) drawing = draw_accuracy(workshop.path().string());
  std::vector<std::string> pictures;
  for (const auto& [name, svg] : drawing.pictures) pictures.push_back(name);
  for (const auto& [name, document] : accuracy_documents(all))
    write(name + ".md", to_markdown(document, pictures));
  const std::vector<OdysseusRun> runs = odysseus_runs(all.rows, all.time);
  if (!runs.empty()) write("odysseus.md", to_markdown(odysseus_document(runs), {}));
  if (!runs.empty() && has_file(all, "deepspeed_ulysses_blog"))
    write("claims.md", to_markdown(claims_of(all.rows, runs), {}));
  write("accuracy.html", to_html(accuracy_document(all), drawing.pictures));
  workshop.deliver();
  return drawing.problem;
}

}  // namespace ithaca
