// plan -> run: the twin of a plan is executed and verified, and what does not fit is refused.
#include "planner/plan_file.h"
#include "tests/cli/cli_run.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace ithaca {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// A folder with the plan of a model small enough to run as it is.
class RunVerb : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    const Ran ran = ithaca_cli(
        "plan -L 256 -d 512 -i 1024 --kv-heads 2 -N 4 --cluster dgx-a100-80g -o " + plan());
    ASSERT_EQ(ran.code, 0) << ran.err;
    ASSERT_TRUE(fs::exists(plan()));
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string plan() const { return (folder_ / "plan.yaml").string(); }
  std::string file(const char* name) const { return (folder_ / name).string(); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

 private:
  fs::path folder_ = fs::temp_directory_path() / ("ithaca-cli-" + std::to_string(getpid()));
};

TEST_F(RunVerb, VerifiesAPlanAndWritesRunJson) {
  const Ran ran = ithaca_cli("run " + plan() + " --json -o " + file("run.json"));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  EXPECT_EQ(Json::parse(std::ifstream(file("run.json"))), json);
  EXPECT_EQ(json.at("schema"), "ithaca/1");
  EXPECT_EQ(json.at("kind"), "run");
  EXPECT_TRUE(json.at("verified").get<bool>());
  EXPECT_EQ(json.at("dtype"), "f64");
  for (const Json& c : json.at("collectives"))
    EXPECT_EQ(c.at("predicted_bytes"), c.at("measured_bytes"));
  for (const char* const key : {"live_bytes", "sent_bytes"})
    EXPECT_EQ(json.at(key).at("predicted"), json.at(key).at("measured")) << key;
  for (const char* const tensor : {"y", "dx", "dwq", "dw_down"})
    EXPECT_LE(json.at("max_relative_error").at(tensor).get<double>(), 1e-10) << tensor;
  ASSERT_FALSE(json.at("spans").empty());
  for (const Json& s : json.at("spans"))
    EXPECT_LE(s.at("begin_s").get<double>(), s.at("end_s").get<double>());
}

TEST_F(RunVerb, ScalesTheModelAndKeepsStrategyMeshAndHeads) {
  const Ran ran = ithaca_cli("run " + plan() + " --scale 4 --seq 64 --dtype f32 --layers 2 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  EXPECT_EQ(json.at("shape").at("d"), 128);
  EXPECT_EQ(json.at("shape").at("i"), 256);
  EXPECT_EQ(json.at("shape").at("e"), 32);
  EXPECT_EQ(json.at("shape").at("L"), 64);
  EXPECT_EQ(json.at("shape").at("kv_heads"), json.at("plan").at("shape").at("kv_heads"));
  EXPECT_EQ(json.at("strategy"), json.at("plan").at("strategy"));
  EXPECT_EQ(json.at("layers"), 2);
}

TEST_F(RunVerb, RefusesAScaleThatDoesNotDivide) {
  const Ran ran = ithaca_cli("run " + plan() + " --scale 3 -o " + file("run.json"));
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.err,
            "--scale: expected a divisor of d = 512, i = 1024 and e / 2 = 64, got 3, use 2\n");
  EXPECT_EQ(files(), 1U);
}

TEST_F(RunVerb, RunsUnderTheMaskOfThePlanAtItsLengthOrDrawsDocumentsAgain) {
  const std::string job = "plan -L 256 -d 512 -i 1024 --kv-heads 2 -N 4 --cluster dgx-a100-80g -o ";
  for (const char* const mask : {"window:40", "documents:mean=50"}) {
    ASSERT_EQ(ithaca_cli(job + plan() + " --mask " + mask).code, 0);
    const Ran ran = ithaca_cli("run " + plan() + " --scale 8 --seq 128 --json");
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(ran.json().at("verified").get<bool>());
    EXPECT_TRUE(ran.json().at("shape").at("mask").get<std::string>().starts_with(mask));
  }
  ASSERT_EQ(ithaca_cli(job + plan() + " --mask documents:56,200").code, 0);
  EXPECT_EQ(ithaca_cli("run " + plan() + " --scale 8").code, 0);
  const Ran ran = ithaca_cli("run " + plan() + " --scale 8 --seq 128");
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.err,
            "--seq: expected the 256 tokens of the mask's documents, got 128, use --seq 256 or a "
            "mask documents:mean=TOKENS\n");
}

TEST_F(RunVerb, RefusesBeforehandWhatDoesNotFitInMemory) {
  const Ran ran = ithaca_cli("run " + plan() + " --seq 1M -o " + file("run.json"));
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(one_line_only(ran.err)) << ran.err;
  EXPECT_TRUE(ran.err.starts_with("--seq: expected a run of at most ")) << ran.err;
  EXPECT_NE(ran.err.find("use --seq "), std::string::npos) << ran.err;
  EXPECT_EQ(files(), 1U);
}

TEST_F(RunVerb, RefusesABrokenPlanWithItsPlace) {
  write_file(file("bad.yaml"), "schema: ithaca/1\nkind: plan\nmodle: x\n");
  const Ran ran = ithaca_cli("run " + file("bad.yaml"));
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.err.find(file("bad.yaml") + ":3:1: unknown key \"modle\""), 0U) << ran.err;
  EXPECT_TRUE(one_line_only(ran.err));
}

TEST_F(RunVerb, ATimelineIsAChromeTrace) {
  const Ran ran = ithaca_cli("cost -L 256 -d 512 -i 1024 --strategy tp_sp -N 4 --timeline " +
                             file("trace.json"));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json trace = Json::parse(std::ifstream(file("trace.json")));
  int spans = 0, critical = 0, held = 0;
  for (const Json& e : trace.at("traceEvents")) {
    EXPECT_TRUE(e.at("pid").is_number_integer());
    held += e.at("ph") == "C" && e.at("args").at("weights").get<std::int64_t>() > 0 ? 1 : 0;
    if (e.at("ph") != "X") continue;
    EXPECT_TRUE(e.at("tid").is_number_integer());
    critical += e.at("args").at("critical").get<bool>() ? 1 : 0;
    EXPECT_GE(e.at("dur").get<double>(), 0);
    EXPECT_TRUE(e.at("ts").is_number());
    ++spans;
  }
  EXPECT_GT(spans, 20);
  EXPECT_GT(critical, 10);
  EXPECT_LT(critical, spans);
  EXPECT_GT(held, 10);
}

}  // namespace
}  // namespace ithaca
