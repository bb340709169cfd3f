// reports/measure_kernels.py without a GPU: what it says, what it writes, and that the product reads it back.
#include "sim/kernels/kernel_model.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int exit_code;
  std::string output;
};

Outcome run(const std::string& command, const fs::path& folder) {
  const fs::path log = folder / "log";
  const int status = std::system(fmt::format("{} >'{}' 2>&1", command, log.string()).c_str());
  std::stringstream text;
  text << std::ifstream(log).rdbuf();
  fs::remove(log);
  return {status / 256, text.str()};
}

class MeasureKernels : public testing::Test {
 protected:
  void SetUp() override {
    if (run("python3 -c 'import sys'", fs::temp_directory_path()).exit_code != 0)
      GTEST_SKIP() << "no python3";
    folder_ = fs::temp_directory_path() /
              fmt::format("ithaca_kernels_{}_{}", ::getpid(),
                          testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directory(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator{}));
  }
  Outcome fake(const std::string& arguments) const {
    return run(fmt::format("python3 '{0}/tests/reports/measure_kernels_fake.py' '{0}' {1}",
                           ITHACA_SOURCE_DIR, arguments),
               folder_);
  }
  fs::path folder_;
};

TEST_F(MeasureKernels, WritesAFileThatGivesBackTheRatesOfTheGpu) {
  const fs::path path = folder_ / "fake.yaml";
  for (const char* how : {"", "--quick"}) {
    const Outcome done = fake(fmt::format("'{}' {}", path.string(), how));
    EXPECT_EQ(done.exit_code, 0) << done.output;
    EXPECT_EQ(done.output, path.string() + "\n");
    EXPECT_EQ(files(), 1U) << "only the file itself";
    const KernelRates rates = load_kernels(path.string());
    EXPECT_EQ(rates.name, "Fake-H100");
    EXPECT_EQ(rates.sms, 132);
    EXPECT_NEAR(rates.matmul.fraction * rates.peak_flops_per_s, 800e12, 4e12) << how;
    EXPECT_NEAR(rates.matmul.ramp, 100, 10) << how;
    EXPECT_DOUBLE_EQ(rates.matmul_sustained, 0.8);
    EXPECT_DOUBLE_EQ(rates.attention_sustained, 0.85);
    EXPECT_DOUBLE_EQ(rates.memory.stream, 0.9);
    EXPECT_DOUBLE_EQ(rates.memory.norm_grad, 0.4);
    EXPECT_NEAR(rates.launch_s, 3e-6, 1e-12);
    EXPECT_EQ(rates.attention.curves.size(), 2U * 2 * 2);
    for (const AttentionCurve& curve : rates.attention.curves) {
      EXPECT_NEAR(curve.overhead_keys, 200, 1);
      const double rate =
          (curve.kernel == AttentionCode::cudnn ? 600e12 : 350e12) * (curve.backward ? 0.8 : 1);
      EXPECT_NEAR(curve.fraction * rates.peak_flops_per_s, rate, 1e12);
    }
    fs::remove(path);
  }
}

TEST_F(MeasureKernels, SaysInOneLineWhatItLacks) {
  const Outcome none = fake(fmt::format("'{}/x.yaml' --gpu 3", folder_.string()));
  EXPECT_EQ(none.exit_code, 5);
  EXPECT_EQ(none.output, "measure_kernels.py: expected a CUDA GPU number 3, found 1\n");
  const Outcome nowhere = fake(fmt::format("'{}/none/x.yaml'", folder_.string()));
  EXPECT_EQ(nowhere.exit_code, 5);
  EXPECT_NE(nowhere.output.find("expected a folder"), std::string::npos);
  EXPECT_EQ(fake(fmt::format("'{}/x.txt'", folder_.string())).exit_code, 2);
  EXPECT_EQ(files(), 0U);
}

}  // namespace
}  // namespace ithaca
