// calibrate -> run: a machine is measured into a cluster file that run predicts with; nccl-tests' output likewise.
#include "sim/cost.h"
#include "tests/cli/cli_run.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <unistd.h>

namespace ithaca {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class CalibrateVerb : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name)) << text;
    return file(name);
  }
  static std::string read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

 private:
  fs::path folder_ = fs::temp_directory_path() / ("ithaca-calibrate-" + std::to_string(getpid()));
};

const std::string quick = "calibrate --quick --repeats 1 ";

TEST_F(CalibrateVerb, MeasuresThisMachineIntoAClusterThatRunPredictsWith) {
  const Ran made = ithaca_cli(quick + "--ranks 2 --cluster-name here -o " + file("here.yaml"));
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.out, "");
  EXPECT_EQ(ithaca_cli("clusters check " + file("here.yaml")).code, 0);
  const std::string cost =
      "cost -L 64 -d 128 -i 256 --heads 4 --kv-heads 4 -N 2 --strategy tp_sp --cluster " +
      file("here.yaml");
  const Ran f32 = ithaca_cli(cost), mixed = ithaca_cli(cost + " --recipe mixed");
  EXPECT_EQ(f32.code, 0) << f32.err;
  EXPECT_NE(f32.err.find("f32 taken"), std::string::npos) << f32.err;
  EXPECT_EQ(mixed.code, 2);
  EXPECT_TRUE(one_line_only(mixed.err)) << mixed.err;
  EXPECT_NE(mixed.err.find("--recipe: expected f32"), std::string::npos) << mixed.err;
  ASSERT_EQ(
      ithaca_cli("plan -L 64 -d 128 -i 256 --heads 4 --kv-heads 4 -N 2 --cluster dgx-a100-80g -o " +
                 file("plan.yaml"))
          .code,
      0);
  const std::string run = "run " + file("plan.yaml") + " --layers 3 --cluster " + file("here.yaml");
  const Ran ran = ithaca_cli(run + " --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  EXPECT_EQ(json.at("time").at("calibrated"), "here");
  EXPECT_GT(json.at("time").at("predicted_layer_s").get<double>(), 0);
  EXPECT_EQ(json.at("time").at("layers_s").size(), 3U);
  double predicted_s = 0;  // one rank's steps follow one another
  for (const Json& span : json.at("spans"))
    if (span.at("rank") == 0) predicted_s += span.at("predicted_s").get<double>();
  EXPECT_NEAR(predicted_s / 3, json.at("time").at("predicted_layer_s").get<double>(),
              0.01 * predicted_s);
  EXPECT_NE(ithaca_cli(run).out.find("a layer on here, measured"), std::string::npos);
}

TEST_F(CalibrateVerb, WithoutAClusterRunPredictsNoTime) {
  ASSERT_EQ(
      ithaca_cli("plan -L 64 -d 128 -i 256 --heads 4 --kv-heads 4 -N 2 --cluster dgx-a100-80g -o " +
                 file("plan.yaml"))
          .code,
      0);
  const Ran ran = ithaca_cli("run " + file("plan.yaml") + " --json");
  EXPECT_TRUE(ran.json().at("time").at("predicted_layer_s").is_null());
  EXPECT_FALSE(ran.json().at("spans").at(0).contains("predicted_s"));
  const Ran gpus = ithaca_cli("run " + file("plan.yaml") + " --cluster dgx-a100-80g");
  EXPECT_EQ(gpus.code, 2);
  EXPECT_EQ(gpus.err,
            "--cluster: expected a file that `ithaca calibrate` wrote, got dgx-a100-80g, whose "
            "kernels are not of this machine\n");
}

TEST_F(CalibrateVerb, SaysWhenARunHasMoreRanksThanWereMeasured) {
  ASSERT_EQ(ithaca_cli(quick + "--ranks 1 -o " + file("one.yaml")).code, 0);
  ASSERT_EQ(
      ithaca_cli("plan -L 64 -d 128 -i 256 --heads 4 --kv-heads 4 -N 2 --cluster dgx-a100-80g -o " +
                 file("plan.yaml"))
          .code,
      0);
  const Ran ran = ithaca_cli("run " + file("plan.yaml") + " --cluster " + file("one.yaml"));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("use ithaca calibrate --ranks 2"), std::string::npos) << ran.err;
}

TEST_F(CalibrateVerb, WithoutAFilePrintsTheCluster) {
  const Ran ran = ithaca_cli(quick + "--ranks 1");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(parse_cluster(ran.out, "stdout").name, "this-machine");
}

TEST_F(CalibrateVerb, ReplacesAFileWholeOrNotAtAll) {
  const std::string path = write("old.yaml", "old\n");
  EXPECT_EQ(ithaca_cli(quick + "--ranks 0 -o " + path).code, 2);
  EXPECT_EQ(read(path), "old\n");
  ASSERT_EQ(ithaca_cli(quick + "--ranks 1 -o " + path).code, 0);
  EXPECT_EQ(ithaca_cli("clusters check " + path).code, 0);
  EXPECT_EQ(files(), 1U) << "no temporary file stays";
}

TEST_F(CalibrateVerb, RefusesBeforeItMeasuresWhatItCouldNotWrite) {
  const Ran ran = ithaca_cli("calibrate -o " + file("nowhere/x.yaml"));
  EXPECT_EQ(ran.code, 5);
  EXPECT_TRUE(one_line_only(ran.err)) << ran.err;
}

// ---- nccl-tests ---------------------------------------------------------------------------------------------

/// As `collective`_perf prints it on 8 H100s of one node: 10 us and so many GB/s.
std::string printed(const std::string& collective, double gb_per_s, bool concluded = true) {
  std::string text = "# Using devices\n";
  for (int rank = 0; rank < 8; ++rank)
    text += fmt::format(
        "#  Rank  {0} Group  0 Pid   424{0} on    node01 device  {0} [0x07] NVIDIA H100 80GB "
        "HBM3\n",
        rank);
  text +=
      "#       size         count      type   redop    root     time   algbw   busbw #wrong     "
      "time   algbw   busbw #wrong\n";
  for (double bytes = 1 << 20; bytes <= 1 << 28; bytes *= 4) {
    const double us = 10 + bytes / gb_per_s / 1e3;
    const double rate = bytes / us / 1e3;
    text += fmt::format(
        "{0:.0f} {1:.0f} float sum -1 {2:.2f} {3:.2f} {3:.2f} 0 {2:.2f} {3:.2f} {3:.2f} 0\n", bytes,
        bytes / 4, us, rate);
  }
  text += "# Avg bus bandwidth    : 100\n";
  if (concluded) text += "# Collective test concluded: " + collective + "_perf\n";
  return text;
}

TEST_F(CalibrateVerb, NcclTestsBecomeMeasuredTablesOfACluster) {
  const std::string reduce = write("a.txt", printed("all_reduce", 200)),
                    gather = write("b.txt", printed("all_gather", 300));
  const Ran ran = ithaca_cli("calibrate --from-nccl-tests " + reduce + ' ' + gather +
                             " --cluster dgx-h100 --cluster-name ours -o " + file("ours.yaml"));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find(reduce + ": all_reduce, 8 GPUs on 1 node\n"), std::string::npos)
      << ran.out;
  EXPECT_NE(ran.out.find("by the other files"), std::string::npos);
  const Cluster cluster = load_cluster(file("ours.yaml"));
  EXPECT_EQ(cluster.name, "ours");
  ASSERT_EQ(cluster.measured_collectives.size(), 2U);
  EXPECT_EQ(cluster.gpu.name, load_cluster("dgx-h100").gpu.name);
  const NcclCost cost(cluster, measurements(cluster, cluster.measured_collectives));
  const Mesh mesh({{"x", 8}});
  const double bytes = 1 << 24;
  const double measured_s = 10e-6 + bytes / 200e9;
  EXPECT_NEAR(cost.collective(NcclCollective::all_reduce, mesh, {{0}}, 0, bytes).seconds(),
              measured_s, 1e-3 * measured_s);
}

TEST_F(CalibrateVerb, SaysWhenTheMeasurementsAreOfAnotherGpu) {
  const std::string reduce = write("a.txt", printed("all_reduce", 2));
  const auto notes = [&](const std::string& cluster) {
    return ithaca_cli("calibrate --from-nccl-tests " + reduce + " --cluster " + cluster).err;
  };
  EXPECT_NE(notes("dgx-a100-80g").find("was measured on"), std::string::npos);
  EXPECT_EQ(notes("dgx-h100").find("was measured on"), std::string::npos);
}

TEST_F(CalibrateVerb, DoesNotWriteOverItsMeasurements) {
  const std::string reduce = write("a.txt", printed("all_reduce", 2));
  const Ran ran =
      ithaca_cli("calibrate --from-nccl-tests " + reduce + " --cluster dgx-h100 -o " + reduce);
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(one_line_only(ran.err)) << ran.err;
  std::ifstream kept(reduce);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), printed("all_reduce", 2));
}

TEST_F(CalibrateVerb, PricesWithTheTablesOfTheClusterFile) {
  const std::string reduce = write("a.txt", printed("all_reduce", 2));
  ASSERT_EQ(ithaca_cli("calibrate --from-nccl-tests " + reduce + " --cluster dgx-h100 -o " +
                       file("slow.yaml"))
                .code,
            0);
  const auto step_s = [](const std::string& cluster) {
    return ithaca_cli(
               "cost -L 4k -d 4096 -i 8192 --kv-heads 8 -N 8 --strategy tp --json --cluster " +
               cluster)
        .json()
        .at("time")
        .at("step_s")
        .get<double>();
  };
  EXPECT_GT(step_s(file("slow.yaml")), 3 * step_s("dgx-h100"));
}

TEST_F(CalibrateVerb, ACollectiveIsTakenFromTheFilesNameWhenTheOutputDoesNotSay) {
  const std::string path = write("reduce_scatter-8.log", printed("", 100, false));
  const Ran ran = ithaca_cli("calibrate --from-nccl-tests " + path + " --cluster dgx-h100");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("reduce_scatter, 8 GPUs"), std::string::npos);
  EXPECT_NE(ran.err.find("nothing is written without -o FILE"), std::string::npos);
}

TEST_F(CalibrateVerb, BrokenOutputIsOneLineWithItsPlaceAndNothingIsWritten) {
  std::string text = printed("all_reduce", 200);
  const std::string cut = write("cut.txt", text.substr(0, text.find("# Avg")));
  const std::string good = write("good.txt", text);
  const std::string bad = write("bad.txt", text.replace(text.find(" 0\n"), 3, " 3\n"));
  const auto refused = [&](const std::string& args, const std::string& begins) {
    const Ran ran = ithaca_cli("calibrate --from-nccl-tests " + args + " -o " + file("out.yaml"));
    EXPECT_EQ(ran.code, 2) << args;
    EXPECT_TRUE(one_line_only(ran.err)) << ran.err;
    EXPECT_TRUE(ran.err.starts_with(begins)) << ran.err;
    EXPECT_FALSE(fs::exists(file("out.yaml")));
  };
  refused(good + ' ' + cut + " --cluster dgx-h100", cut + ":15:1: expected the closing line");
  refused(bad + " --cluster dgx-h100", bad + ":11:1: #wrong: expected no wrong results, got 3");
  refused(write("empty.txt", "") + " --cluster dgx-h100", file("empty.txt") + ":1:1: expected");
  refused(file("none.txt") + " --cluster dgx-h100", file("none.txt"));
  refused(good + ' ' + good + " --cluster dgx-h100",
          "--from-nccl-tests: expected " + good + " once");
  refused(good, "--cluster: expected the cluster that " + good + " was measured on");
  refused(good + " --cluster dgx-h10", "cluster: expected a preset");
  refused(good + " --cluster gb200-nvl72 --ranks 3", "--ranks: expected it without");
}

}  // namespace
}  // namespace ithaca
