#include "reports/error_bands.h"

#include "models/data_dir.h"
#include "models/yaml.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <map>

namespace ithaca {
namespace {

ErrorBand band_of(int compute_capability, std::vector<double> ratios) {
  std::ranges::sort(ratios);
  const auto percent = [&](double q) {
    return static_cast<int>(std::lround(100 * (quantile(ratios, q) - 1)));
  };
  return {compute_capability, ratios.size(), percent(0.1), percent(0.9)};
}

std::string kind_of(const ErrorBand& band) {
  return band.compute_capability == 0
             ? "all"
             : fmt::format("compute capability {}.{}", band.compute_capability / 10,
                           band.compute_capability % 10);
}

}  // namespace

std::vector<ErrorBand> error_bands(const TimeAccuracy& accuracy) {
  constexpr std::size_t enough = 20;  // a row or two beyond each end of the band
  std::vector<double> all;
  std::map<int, std::vector<double>> kinds;
  for (const TimePrediction& p : accuracy.predictions) {
    if (!p.counts) continue;
    all.push_back(p.measured_s / p.predicted_s);
    if (p.compute_capability > 0) kinds[p.compute_capability].push_back(all.back());
  }
  std::vector<ErrorBand> bands;
  if (!all.empty()) bands.push_back(band_of(0, all));
  for (const auto& [kind, ratios] : kinds)
    if (ratios.size() >= enough) bands.push_back(band_of(kind, ratios));
  return bands;
}

std::string bands_yaml(const std::vector<ErrorBand>& bands) {
  std::string text =
      "# Written by `ithaca validate -o reports`.  Measured over predicted time less one, 10th to "
      "90th percentile of\n# the rows of reports/accuracy.csv that count; compute_capability 0: of "
      "all GPUs.\nbands:\n";
  for (const ErrorBand& b : bands)
    text +=
        fmt::format("  - {{compute_capability: {}, rows: {}, low_percent: {}, high_percent: {}}}\n",
                    b.compute_capability, b.rows, b.low_percent, b.high_percent);
  return bands.empty() ? text + "  []\n" : text;
}

std::vector<ErrorBand> read_bands(const std::string& path) {
  const Yaml root = Yaml::file(path);
  root.allow({"bands"});
  std::vector<ErrorBand> bands;
  for (const Yaml& y : root.at("bands").items()) {
    y.allow({"compute_capability", "rows", "low_percent", "high_percent"});
    bands.push_back({static_cast<int>(y.at("compute_capability").integer(0, 1000)),
                     static_cast<std::size_t>(y.at("rows").integer(1, 1 << 30)),
                     static_cast<int>(y.at("low_percent").integer(-100, 10'000)),
                     static_cast<int>(y.at("high_percent").integer(-100, 10'000))});
  }
  return bands;
}

std::optional<ErrorBand> shipped_band(const Gpu& gpu) {
  const std::filesystem::path file = data_dir() / "reports" / "error_bands.yaml";
  if (gpu.compute_capability == 0 || !std::filesystem::exists(file)) return std::nullopt;
  std::optional<ErrorBand> found;
  for (const ErrorBand& band : read_bands(file.string()))
    if (band.compute_capability == gpu.compute_capability ||
        (!found && band.compute_capability == 0))
      found = band;
  return found;
}

std::string band_text(const std::optional<ErrorBand>& band) {
  return band ? fmt::format(" ({:+} % ... {:+} %)", band->low_percent, band->high_percent) : "";
}

Json band_json(const std::optional<ErrorBand>& band, double predicted_s) {
  if (!band) return nullptr;
  const double low = band->low_percent / 100.0, high = band->high_percent / 100.0;
  return {{"low", low},
          {"high", high},
          {"low_s", predicted_s * (1 + low)},
          {"high_s", predicted_s * (1 + high)},
          {"rows", band->rows},
          {"gpus", kind_of(*band)}};
}

}  // namespace ithaca
