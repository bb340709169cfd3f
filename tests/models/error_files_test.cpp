// Every tests/error/{models,configs,clusters}/X.txt holds the exact message for the input beside
// it; a missing input is the case of an unreadable file.  Paths in messages are relative to the
// project's folder.
#include "models/error.h"
#include "models/model_spec.h"
#include "sim/cluster.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string message_of(const std::string& kind, const std::string& input) {
  try {
    if (kind == "clusters") {
      load_cluster(input);
    } else {
      load_model(input);
    }
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ErrorFiles, EveryWrongInputGivesItsExactMessage) {
  fs::current_path(ITHACA_SOURCE_DIR);
  int cases = 0;
  for (const std::string kind : {"models", "configs", "clusters"}) {
    for (const auto& file : fs::directory_iterator(fs::path("tests/error") / kind)) {
      if (file.path().extension() != ".txt") continue;
      fs::path input = file.path();
      input.replace_extension(kind == "configs" ? ".json" : ".yaml");
      EXPECT_EQ(message_of(kind, input.string()) + "\n", content(file.path())) << input;
      ++cases;
    }
  }
  EXPECT_GE(cases, 30);
}

TEST(ErrorFiles, EveryWrongInputHasAMessage) {
  fs::current_path(ITHACA_SOURCE_DIR);
  for (const std::string kind : {"models", "configs", "clusters"}) {
    for (const auto& file : fs::directory_iterator(fs::path("tests/error") / kind)) {
      fs::path message = file.path();
      EXPECT_TRUE(fs::exists(message.replace_extension(".txt"))) << file.path();
    }
  }
}

}  // namespace
}  // namespace ithaca
