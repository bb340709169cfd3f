// Published collectives against what the model says of their machines.
#include "models/error.h"
#include "reports/collective_accuracy.h"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fstream>
#include <set>

namespace ithaca {
namespace {

const CollectiveAccuracy& accuracy() {
  static const CollectiveAccuracy all =
      collective_accuracy(collective_tables(published_collectives_folder()));
  return all;
}

TEST(PublishedCollectives, AreReadAndEachIsPredictedOrSaysWhyNot) {
  std::set<std::string> files, reasons;
  for (const TableAccuracy& t : accuracy().tables) files.insert(t.table.file);
  for (const auto& [table, reason] : accuracy().unmodelled) {
    files.insert(table.file);
    reasons.insert(reason);
    EXPECT_FALSE(reason.empty());
  }
  EXPECT_EQ(files.size(), 72U);
  EXPECT_EQ(reasons.size(), 4U);
}

/// Half of the points are of one source; so also the median of the tables' medians.
void print_overall() {
  std::vector<double> preset, calibrated;
  for (const TableAccuracy& t : accuracy().tables) {
    if (!t.preset_errors.empty()) preset.push_back(median(t.preset_errors));
    if (!t.calibrated_errors.empty()) calibrated.push_back(median(t.calibrated_errors));
  }
  fmt::print("points: preset {:.1f} % of {}, calibrated {:.1f} % of {}\n",
             100 * median(accuracy().preset_errors()), accuracy().preset_errors().size(),
             100 * median(accuracy().calibrated_errors()), accuracy().calibrated_errors().size());
  fmt::print("tables: preset {:.1f} % of {}, calibrated {:.1f} % of {}\n", 100 * median(preset),
             preset.size(), 100 * median(calibrated), calibrated.size());
}

void print_tables() {
  for (const TableAccuracy& t : accuracy().tables)
    if (!t.preset_errors.empty())
      fmt::print("{:56} {:14} {:22} {:3} points  preset {:5.1f} %  calibrated {}\n", t.table.file,
                 t.table.collective, t.setup.hardware, t.preset_errors.size(),
                 100 * median(t.preset_errors),
                 t.calibrated_errors.empty()
                     ? "-"
                     : fmt::format("{:5.1f} % of {}", 100 * median(t.calibrated_errors),
                                   t.calibrated_errors.size()));
  for (const auto& [table, reason] : accuracy().unmodelled)
    fmt::print("{:56} {:14} not predicted: {}\n", table.file, table.collective, reason);
}

/// The median over all points of 1 MiB and more, nothing fitted.
TEST(PublishedCollectives, ArePredictedWithin20PercentByPresetsAlone) {
  print_tables();
  print_overall();
  EXPECT_GT(accuracy().preset_errors().size(), 1200U);
  EXPECT_LE(median(accuracy().preset_errors()), 0.20);
}

TEST(PublishedCollectives, ArePredictedWithin10PercentAfterCalibrationByOthers) {
  EXPECT_GT(accuracy().calibrated_errors().size(), 1100U);
  EXPECT_LE(median(accuracy().calibrated_errors()), 0.10);
}

/// A table does not take part in its own calibration: alone on its hardware it has none.
TEST(PublishedCollectives, AreNotCalibratedByThemselves) {
  int alone = 0;
  for (const TableAccuracy& t : accuracy().tables)
    if (t.setup.hardware == "A100 EFA" || t.setup.hardware == "H100 OCI") {
      EXPECT_TRUE(t.calibrated_errors.empty());
      ++alone;
    }
  EXPECT_EQ(alone, 2);
}

TEST(CollectiveFile, ThatIsWrongIsRefusedWithItsPlace) {
  const auto error_of = [](const std::string& text) {
    const std::string path = testing::TempDir() + "collective.yaml";
    std::ofstream(path) << text;
    try {
      collective_file(path);
    } catch (const InputError& error) {
      return std::string(error.what()).substr(path.size());
    }
    return std::string("no error");
  };
  const std::string header = "header: {collective: all_reduce, source: s, gpu: g, gpus: 8}\n";
  EXPECT_EQ(error_of(header + "rows:\n- {size_bytes: 8, time_us: 0}\n"),
            ":3:28: rows[0].time_us: expected a number above 0, got \"0\"");
  EXPECT_EQ(error_of(header + "rows:\n- {size_bytes: 8}\n"),
            ":3:3: rows[0]: missing key \"busbw\"");
  EXPECT_EQ(error_of(header + "rows:\n- {size: 8, time_us: 1}\n").substr(0, 27),
            ":3:4: rows[0]: unknown key ");
}

}  // namespace
}  // namespace ithaca
