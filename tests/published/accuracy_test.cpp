// What `ithaca validate` reads from folders and writes; statistics of known errors; the shipped error bands.
#include "models/error.h"
#include "reports/accuracy_files.h"
#include "reports/accuracy_page.h"
#include "reports/error_bands.h"
#include "reports/strategy_order.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

/// A folder of its own, removed at the end.
class Folder {
 public:
  explicit Folder(const std::string& name) : path_(fs::path(testing::TempDir()) / name) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(path_ / name).rdbuf();
    return text.str();
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

const char* const kernels_file =
    "header: {name: of others, gpu: H100 SXM, kernel: FlashAttention-2, causal: true}\n"
    "rows:\n"
    "- {M: 8192, N: 8192, K: 8192, mamf_tflops: 700}\n"
    "- {mode: fwd, seq_len: 8192, heads: 16, head_dim: 128, tflops: 300}\n"
    "- {mode: fwd+bwd, seq_len: 8192, heads: 16, head_dim: 128, ms: 5}\n"
    "- {op: group_matmul, M: 154, N: 3072, K: 5120, tflops: 400}\n"
    "- {gpu: TPU, m: 8, n: 8, k: 8, tflops: 1}\n"
    "- {m: 8, n: 8, k: 8}\n"
    "- {bucket: everything else, tflops: 1}\n";

TEST(PublishedFolder, TakesKernelsOfAnyFileAndListsTheRestWithReasons) {
  const Folder folder("ithaca_kernels");
  folder.write("kernels/some.yaml", kernels_file);
  const KernelAccuracy found = published_accuracy(folder.path()).kernels;
  ASSERT_EQ(found.predictions.size(), 3U);
  EXPECT_EQ(found.predictions[0].what, "product");
  EXPECT_NEAR(found.predictions[0].measured_s, 2 * 8192.0 * 8192 * 8192 / 700e12, 1e-9);
  EXPECT_EQ(found.predictions[1].what, "attention forward");
  EXPECT_NEAR(found.predictions[1].measured_s, 2.0 * 16 * 128 * 8192 * 8192 / 300e12, 1e-9);
  EXPECT_EQ(found.predictions[2].what, "attention both");
  EXPECT_GT(found.predictions[2].predicted_s, 2 * found.predictions[1].predicted_s);
  ASSERT_EQ(found.unmodelled.size(), 4U);
  EXPECT_EQ(found.unmodelled[0].id, "some row 4");
  EXPECT_EQ(found.unmodelled[1].reason, "no GPU preset for TPU");
  EXPECT_EQ(found.unmodelled[2].reason, "neither a time nor a rate is stated");
}

TEST(PublishedFolder, TakesCollectivesAndListsTablesOfRatios) {
  const Folder folder("ithaca_collectives");
  folder.write(
      "collectives/one.yaml",
      "header: {collective: all_reduce, source: s, gpu: H100-SXM5-80GB, gpus: 8, nodes: 1}\n"
      "rows:\n- {size_bytes: 1073741824, time_us: 4000}\n- {size_bytes: 8, time_us: 20}\n");
  folder.write("collectives/ratios.yaml",
               "header: {collective: rings, source: s, gpu: g, units: ratio of bandwidths}\n"
               "rows:\n- {size_bytes: 8, 1 Node: 0.5}\n");
  const PublishedAccuracy all = published_accuracy(folder.path());
  EXPECT_EQ(collective_statistics(all.collectives, "one").rows, 1U);
  EXPECT_EQ(collective_statistics(all.collectives, "other").rows, 0U);
  ASSERT_EQ(all.others.size(), 1U);
  EXPECT_EQ(all.others[0].id, "ratios");
  const Json json = accuracy_json(all);
  EXPECT_EQ(json.at("sources").at("collectives/one").at("collectives").at("rows"), 1);
  EXPECT_EQ(json.at("rows").at(0).at("measured"), 4e-3);
  EXPECT_EQ(json.at("unmodelled").at(0).at("reason"), "ratios of bandwidths, no times");
}

TEST(PublishedFolder, WithoutAnyOfItIsRefused) {
  const Folder folder("ithaca_empty");
  EXPECT_THROW(published_accuracy(folder.path()), InputError);
  EXPECT_THROW(published_accuracy(folder.path() + "/nowhere"), InputError);
}

TEST(StrategyOrder, OfKnownGroupsIsKendallsTau) {
  TimeAccuracy known;
  const auto row = [&](const char* id, double measured, double predicted) {
    known.predictions.push_back({id, "s", "step", measured, predicted, 1, "g", true, "", "", ""});
  };
  row("a", 1, 1.5);
  row("b", 2, 1.2);
  row("c", 3, 3);
  const std::vector<GroupOrder> orders = group_orders(known);
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_NEAR(orders[0].rank_correlation, 1.0 / 3, 1e-12);  // two pairs agree, one does not
  EXPECT_EQ(orders[0].measured_best, "a");
  EXPECT_EQ(orders[0].predicted_best, "b");
  EXPECT_FALSE(orders[0].right_pick);
}

TEST(ErrorBands, HoldWhatLiesBetweenTheTenthAndTheNinetiethPercentile) {
  TimeAccuracy known;
  for (int i = 1; i <= 30; ++i) {  // measured 0.81 to 1.10 of what is predicted
    known.predictions.push_back(
        {"", "s", "step", 0.80 + 0.01 * i, 1, 1, "", true, "", "", "", i <= 20 ? 80 : 90});
  }
  known.predictions.push_back({"", "s", "step", 9, 1, 1, "", false, "", "", "", 80});
  const std::vector<ErrorBand> bands = error_bands(known);
  ASSERT_EQ(bands.size(), 2U);  // 10 rows of the other GPU are too few
  EXPECT_EQ(bands[0].compute_capability, 0);
  EXPECT_EQ(bands[0].rows, 30U);
  EXPECT_EQ(bands[0].low_percent, -17);
  EXPECT_EQ(bands[0].high_percent, 7);
  EXPECT_EQ(bands[1].compute_capability, 80);
  EXPECT_EQ(bands[1].low_percent, -18);
  EXPECT_EQ(bands[1].high_percent, -2);
  EXPECT_EQ(band_text(bands[1]), " (-18 % ... -2 %)");
  EXPECT_NEAR(band_json(bands[0], 2.0).at("high_s").get<double>(), 2.14, 1e-12);
  EXPECT_TRUE(band_json(std::nullopt, 2.0).is_null());
}

/// Written by `ithaca validate -o reports`: run it again when this fails.
TEST(ErrorBands, ThatAreShippedAreThoseOfTheRows) {
  const TimeAccuracy time = time_accuracy(published_rows(published_folder()));
  const std::string path = std::string(ITHACA_SOURCE_DIR) + "/reports/error_bands.yaml";
  std::ostringstream shipped;
  shipped << std::ifstream(path).rdbuf();
  EXPECT_EQ(shipped.str(), bands_yaml(error_bands(time)));
  Gpu gpu;
  EXPECT_FALSE(shipped_band(gpu));
  for (const ErrorBand& band : read_bands(path)) {
    EXPECT_LT(band.low_percent, band.high_percent);
    gpu.compute_capability = band.compute_capability;
    if (band.compute_capability > 0) {
      EXPECT_EQ(shipped_band(gpu)->rows, band.rows);
    }
  }
  gpu.compute_capability = 999;  // of no row
  EXPECT_EQ(shipped_band(gpu)->compute_capability, 0);
}

TEST(AccuracyFiles, AreWrittenWholeForWhatIsThere) {
  const Folder folder("ithaca_accuracy_data"), out("ithaca_accuracy_out");
  folder.write("kernels/some.yaml", kernels_file);
  fs::copy_file(published_folder() + "/korthikanti.yaml", folder.path() + "/korthikanti.yaml");
  const PublishedAccuracy all = published_accuracy(folder.path());
  const std::string problem = write_accuracy(all, out.path());
  EXPECT_EQ(problem.empty(), fs::exists(out.path() + "/accuracy.png")) << problem;
  const std::string html = out.read("accuracy.html");
  for (const TimePrediction& p : all.time.predictions)
    EXPECT_NE(html.find("<td>" + p.id + "</td>"), std::string::npos) << p.id;
  for (const UnmodelledRow& row : all.kernels.unmodelled)
    EXPECT_NE(html.find(row.id), std::string::npos) << row.id;
  EXPECT_EQ(html.find("http"), std::string::npos);  // nothing is loaded
  EXPECT_NE(out.read("accuracy_kernels.md").find("| some | 3 |"), std::string::npos);
  EXPECT_NE(out.read("accuracy.md").find("# Time: predicted beside published"), std::string::npos);
  EXPECT_FALSE(fs::exists(out.path() + "/accuracy_collectives.md"));
}

}  // namespace
}  // namespace ithaca
