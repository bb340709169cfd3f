#include "reports/run_summary.h"

#include "reports/format.h"
#include "reports/text_table.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace ithaca {
namespace {

std::string largest_error(const RunRecord& run) {
  double largest = 0;
  for (const auto& [tensor, error] : run.max_relative_error) largest = std::max(largest, error);
  return fmt::format("{:.1e}", largest);
}

}  // namespace

std::string run_summary(const std::vector<RunRecord>& runs) {
  if (runs.empty()) return {};
  TextTable table(
      {{"run"}, {"of one rank"}, {"predicted", Align::right}, {"measured", Align::right}, {""}});
  for (const RunRecord& run : runs) {
    const auto bytes = [&](const char* what, const RunBytes& b, const std::string& name) {
      table.add({name, what, grouped(b.predicted), grouped(b.measured),
                 b.predicted == b.measured ? "=" : "differs"});
    };
    bytes("bytes sent, one layer", run.sent_bytes, run.strategy);
    bytes("bytes held at the peak", run.live_bytes,
          std::filesystem::path(run.path).filename().string());
    const std::string limit = run.tolerance ? fmt::format("at most {:.0e}", *run.tolerance) : "";
    table.add({run.dtype, "largest relative error", limit, largest_error(run),
               run.verified ? "verified" : "FAILED"});
  }
  return table.text(2);
}

}  // namespace ithaca
