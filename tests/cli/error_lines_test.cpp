// Every tests/error/cli/X.case is a command line, X.txt exactly what it prints on stderr.
#include "tests/cli/cli_run.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(CliErrors, EveryWrongCommandLineGivesItsExactMessageAndNothingElse) {
  int cases = 0;
  for (const auto& file : fs::directory_iterator(fs::path(ITHACA_SOURCE_DIR) / "tests/error/cli")) {
    if (file.path().extension() != ".case") continue;
    const std::string line = content(file.path());
    ASSERT_TRUE(line.starts_with("args: ")) << file.path();
    const Ran ran = ithaca_cli(line.substr(6));
    fs::path expected = file.path();
    EXPECT_EQ(ran.err, content(expected.replace_extension(".txt"))) << file.path();
    EXPECT_EQ(ran.code, 2) << file.path();
    EXPECT_EQ(ran.out, "") << file.path();
    EXPECT_TRUE(one_line_only(ran.err)) << file.path();
    ++cases;
  }
  EXPECT_GE(cases, 30);
}

TEST(CliErrors, AFileThatCannotBeWrittenIsTheEnvironmentsFault) {
  const Ran ran = ithaca_cli(
      "plan --model llama-3.1-8b --cluster dgx-a100-80g --gpus 2 --seq 4k -o /dev/null/plan.yaml");
  EXPECT_EQ(ran.code, 5);
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(one_line_only(ran.err)) << ran.err;
}

TEST(CliErrors, AMessageStaysOneLineWhateverWasTyped) {
  const Ran ran = ithaca_cli(std::vector<std::string>{"table", "--model", "a\nb"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(one_line_only(ran.err)) << ran.err;
}

TEST(CliErrors, AnEmptyPipelineIsNotOneOfOneStage) {
  const Ran ran =
      ithaca_cli(std::vector<std::string>{"cost", "-L", "256", "-d", "512", "-i", "1024",
                                          "--strategy", "tp_sp", "-N", "4", "--pipeline", ""});
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(one_line_only(ran.err)) << ran.err;
  EXPECT_NE(ran.err.find("--pipeline"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace ithaca
