// tests/cli/train_scratch.h -- plans small enough to train in milliseconds, in a folder of their own.
#pragma once

#include "models/catalog.h"
#include "models/yaml.h"
#include "planner/plan_file.h"
#include "tests/cli/cli_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace ithaca {

/// Runs inside an empty folder; in memory where there is such a file system, because checkpoints wait for the disk.
class TrainScratch : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    std::filesystem::current_path(folder_);
    write_plan("plan.yaml", "ulysses_zero3(u)", "u=4");
    std::filesystem::copy_file(std::string(ITHACA_SOURCE_DIR) + "/LICENSE", "text");
  }
  void TearDown() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(folder_);
  }

  /// Two layers of eight heads.
  static void write_plan(const std::string& path, const std::string& strategy,
                         const std::string& mesh, std::int64_t batch = 1) {
    const Ran ran = ithaca_cli(
        "plan -L 32 -d 32 -i 24 --heads 8 --kv-heads 4 --head-dim 4 --layers 2 -N 4 --cluster "
        "dgx-a100-80g -o " +
        path);
    ASSERT_EQ(ran.code, 0) << ran.err;
    PlanFile plan = load_plan(path);
    plan.strategy = strategy;
    plan.mesh = parse_mesh(mesh);
    plan.job.gpus = plan.mesh.ranks();
    plan.job.shape.b = batch;
    write_file(path, to_yaml(plan));
  }

  static std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator("."))
      names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }

 private:
  std::filesystem::path before_ = std::filesystem::current_path();
  std::filesystem::path folder_ =
      (access("/dev/shm", W_OK) == 0 ? std::filesystem::path("/dev/shm")
                                     : std::filesystem::temp_directory_path()) /
      ("ithaca-cli-train-" + std::to_string(getpid()));
};

/// The columns step and loss of a loss.csv, as they are written.
inline std::vector<std::string> losses_of(const std::string& path) {
  std::istringstream in(read_file(path));
  std::vector<std::string> losses;
  for (std::string line; std::getline(in, line);)
    losses.push_back(line.substr(0, line.find(',', line.find(',') + 1)));
  return losses;
}

/// The largest relative difference of two such files; infinity when their steps differ.
inline double losses_apart(const std::string& a, const std::string& b) {
  const auto one = losses_of(a), other = losses_of(b);
  double most = one.size() == other.size() ? 0 : INFINITY;
  for (std::size_t i = 1; i < std::min(one.size(), other.size()); ++i) {
    const auto comma = one[i].find(',');
    if (one[i].substr(0, comma) != other[i].substr(0, other[i].find(','))) return INFINITY;
    const double x = std::stod(one[i].substr(comma + 1)),
                 y = std::stod(other[i].substr(other[i].find(',') + 1));
    most = std::max(most, std::abs(x - y) / std::abs(y));
  }
  return most;
}

}  // namespace ithaca
