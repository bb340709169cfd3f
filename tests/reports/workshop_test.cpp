// Files that appear together: nothing of a target changes before all are written, nor when one cannot be.
#include "reports/workshop.h"

#include "models/error.h"
#include "models/yaml.h"
#include "reports/accuracy_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <unistd.h>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

class WorkshopTest : public testing::Test {
 protected:
  WorkshopTest() { fs::create_directories(target_); }
  ~WorkshopTest() override { fs::remove_all(target_); }
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(target_ / name) << text;
  }
  std::string text_of(const std::string& name) const {
    return read_file((target_ / name).string());
  }
  fs::path target_ = fs::temp_directory_path() / fmt::format("ithaca_workshop_{}", getpid());
};

TEST_F(WorkshopTest, WhatIsWrittenIsSeenWhenItIsDelivered) {
  put("a", "old");
  const Workshop workshop(target_);
  workshop.write("a", "new");
  workshop.write("b", "new");
  EXPECT_EQ(text_of("a"), "old");
  EXPECT_FALSE(fs::exists(target_ / "b"));
  workshop.deliver();
  EXPECT_EQ(text_of("a"), "new");
  EXPECT_EQ(text_of("b"), "new");
}

TEST_F(WorkshopTest, WhatIsNeverDeliveredLeavesNothing) {
  put("a", "old");
  { Workshop(target_).write("a", "new"); }
  EXPECT_EQ(text_of("a"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(target_), {}), 1);
}

TEST_F(WorkshopTest, AccuracyKeepsEveryFileWhenOneCannotBeWritten) {
  put("accuracy.csv", "old");
  fs::create_directory(target_ / "accuracy.html");
  EXPECT_THROW(write_accuracy({}, target_.string()), EnvironmentError);
  EXPECT_EQ(text_of("accuracy.csv"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(target_), {}), 2);
}

}  // namespace
}  // namespace ithaca
