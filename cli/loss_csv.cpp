#include "cli/loss_csv.h"

#include "models/error.h"
#include "models/nearest.h"
#include "models/yaml.h"
#include "planner/plan_file.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <sstream>

namespace ithaca {
namespace {

constexpr std::string_view header =
    "step,loss,valid_tokens,gradient_norm,seconds,tokens_per_s,sent_bytes";

/// The step of a row, 0 when the line is none.
std::int64_t step_of(const std::string& line) {
  std::int64_t step = 0;
  (void)std::from_chars(line.data(), line.data() + line.size(), step);
  return std::ranges::count(line, ',') == std::ranges::count(header, ',') ? step : 0;
}

[[noreturn]] void refuse(const Place& place, const std::string& expected, const std::string& got) {
  throw InputError(place, "",
                   fmt::format("expected {}, got {}, name another file with --csv", expected, got));
}

/// Header and the rows of steps up to `steps`; they follow one another.
std::string kept_rows(const std::string& path, std::int64_t steps) {
  std::istringstream in(read_file(path));
  std::string kept = std::string(header) + '\n', line;
  if (!std::getline(in, line) || line != header)
    refuse({path, 1, 1}, fmt::format("\"{}\"", header), in_quotes(line));
  std::int64_t last = 0;
  for (int number = 2; std::getline(in, line); ++number) {
    const std::int64_t step = step_of(line);
    if (step < 1 || (last > 0 && step != last + 1))
      refuse({path, number, 1}, fmt::format("the row of step {}", last + 1), in_quotes(line));
    if (step > steps) break;
    kept += line + '\n';
    last = step;
  }
  if (last > 0 && last < steps)
    refuse({path}, fmt::format("rows up to step {}", steps), fmt::format("{}", last));
  return kept;
}

}  // namespace

LossCsv::LossCsv(std::string path, std::int64_t steps_done)
    : path_(std::move(path)), text_(std::string(header) + '\n') {
  if (!path_.empty() && steps_done > 0 && std::filesystem::exists(path_))
    text_ = kept_rows(path_, steps_done);
}

void LossCsv::add(std::int64_t step, const TrainedStep& done, double seconds, bool clipped) {
  text_ += fmt::format("{},{:.17g},{},{},{:.6g},{:.6g},{}\n", step, done.loss, done.valid_tokens,
                       clipped ? fmt::format("{:.17g}", done.gradient_norm) : "", seconds,
                       static_cast<double>(done.valid_tokens) / seconds, done.sent_bytes);
}

void LossCsv::write() const {
  if (!path_.empty()) write_file(path_, text_);
}

}  // namespace ithaca
