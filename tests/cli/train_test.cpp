// run --steps: trains, checks what it predicted, goes on from checkpoints, and refuses what it cannot do.
#include "tests/cli/train_scratch.h"

namespace ithaca {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Train : public TrainScratch {};

TEST_F(Train, JsonHasTheContractsKeys) {
  const Ran ran = ithaca_cli(
      "run plan.yaml --steps 4 --data text --clip 1 --micro-batches 2 --seed 5 --csv loss.csv "
      "--checkpoint kept --verify --json -o run.json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  EXPECT_EQ(Json::parse(std::ifstream("run.json")), json);
  EXPECT_EQ(json.at("schema"), "ithaca/1");
  EXPECT_EQ(json.at("kind"), "training");
  EXPECT_EQ(json.at("strategy"), json.at("plan").at("strategy"));
  EXPECT_EQ(json.at("shape").at("L"), 32);
  EXPECT_EQ(json.at("layers"), 2);
  EXPECT_EQ(json.at("vocabulary"), 256);
  EXPECT_EQ(json.at("mesh"), Json({{"u", 4}}));
  EXPECT_EQ(json.at("dtype"), "f64");
  EXPECT_EQ(json.at("scale"), 1);
  EXPECT_EQ(json.at("seed"), 5);
  EXPECT_EQ(json.at("micro_batches"), 2);
  EXPECT_EQ(json.at("samples_per_step"), 2);
  EXPECT_EQ(json.at("data").at("file"), "text");
  EXPECT_TRUE(json.at("data").at("fingerprint").is_string());
  EXPECT_EQ(json.at("optimizer").at("learning_rate"), 1e-3);
  EXPECT_EQ(json.at("optimizer").at("clip_norm"), 1);
  EXPECT_EQ(json.at("steps"), 4);
  EXPECT_EQ(json.at("resumed_from"), 0);
  EXPECT_EQ(json.at("losses").size(), 4U);
  EXPECT_EQ(json.at("final_loss"), json.at("losses").back());
  EXPECT_GT(json.at("tokens_per_s").get<double>(), 0);
  for (const char* const key : {"sent_bytes", "live_bytes"}) {
    EXPECT_GT(json.at(key).at("measured").get<std::int64_t>(), 0) << key;
    EXPECT_EQ(json.at(key).at("predicted"), json.at(key).at("measured")) << key;
  }
  EXPECT_LE(json.at("one_rank").at("max_relative_difference").get<double>(), 1e-9);
  EXPECT_EQ(json.at("one_rank").at("tolerance"), 1e-9);
  EXPECT_EQ(json.at("checkpoint"), "kept/step-00000004");
  EXPECT_TRUE(json.at("verified").get<bool>());
}

TEST_F(Train, LearnsAndWritesOneRowForEveryStep) {
  const Ran ran = ithaca_cli(
      "run plan.yaml --steps 30 --data text --micro-batches 8 --csv loss.csv"
      " --learning-rate 0.003 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json losses = ran.json().at("losses");
  EXPECT_NEAR(losses.front().get<double>(), std::log(256.0), 0.05);
  EXPECT_LT(losses.back().get<double>(), losses.front().get<double>() - 0.5);
  EXPECT_EQ(read_file("loss.csv").substr(0, 69),
            "step,loss,valid_tokens,gradient_norm,seconds,tokens_per_s,sent_bytes\n");
  const auto rows = losses_of("loss.csv");
  ASSERT_EQ(rows.size(), 31U);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_TRUE(rows[i].starts_with(std::to_string(i) + ",")) << rows[i];
    EXPECT_EQ(std::stod(rows[i].substr(rows[i].find(',') + 1)), losses[i - 1].get<double>());
  }
  EXPECT_EQ(files(), (std::vector<std::string>{"loss.csv", "plan.yaml", "text"}));
}

TEST_F(Train, InF32StaysNearOneRank) {
  const Ran ran = ithaca_cli("run plan.yaml --steps 5 --data text --dtype f32 --verify --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json().at("one_rank").at("tolerance"), 1e-4);
}

TEST_F(Train, InF32LearnsAsInF64) {
  for (const char* const dtype : {"f64", "f32"})
    ASSERT_EQ(ithaca_cli(std::string("run plan.yaml --steps 20 --data text --dtype ") + dtype +
                         " --csv " + dtype)
                  .code,
              0);
  EXPECT_LE(losses_apart("f32", "f64"), 1e-4);
}

TEST_F(Train, ATableShowsPredictedBesideMeasured) {
  const Ran ran = ithaca_cli("run plan.yaml --steps 2 --data text --verify");
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* const words : {"bytes sent by a rank, one step", "bytes held at the peak",
                                  "verified: losses of one rank within"})
    EXPECT_NE(ran.out.find(words), std::string::npos) << words;
  EXPECT_EQ(ran.out.find("differs"), std::string::npos);
}

TEST_F(Train, GoesOnWithAnotherStrategyDegreeAndMicroBatches) {
  const std::string train = " --data text --clip 1 --csv ";
  ASSERT_EQ(ithaca_cli("run plan.yaml --steps 12 --micro-batches 4" + train + "whole.csv").code, 0);
  struct Other {
    const char *strategy, *mesh;
    std::int64_t batch;
    const char* micro_batches;
  };
  const std::vector<Other> others{{"ring_homing_zero3(r)", "r=2", 4, "1"},
                                  {"tp_sp(t)", "t=2", 2, "2"},
                                  {"data_ddp(p)", "p=4", 4, "1"},
                                  {"ulysses_ddp(u)", "u=8", 1, "4"}};
  for (const Other& other : others) {
    fs::remove_all("kept");
    write_plan("other.yaml", other.strategy, other.mesh, other.batch);
    const Ran first = ithaca_cli("run plan.yaml --steps 6 --micro-batches 4 --checkpoint kept" +
                                 train + "loss.csv");
    ASSERT_EQ(first.code, 0) << first.err;
    const Ran ran = ithaca_cli("run other.yaml --steps 12 --checkpoint kept --resume --json" +
                               train + "loss.csv --micro-batches " + other.micro_batches);
    ASSERT_EQ(ran.code, 0) << other.strategy << ' ' << ran.err;
    EXPECT_EQ(ran.json().at("resumed_from"), 6);
    EXPECT_EQ(ran.json().at("losses").size(), 6U);
    EXPECT_LE(losses_apart("loss.csv", "whole.csv"), 1e-9) << other.strategy;
    EXPECT_EQ(losses_of("loss.csv").size(), 13U);
  }
}

TEST_F(Train, KeepsTheTwoLatestCheckpointsAndGoesOnToTheBit) {
  const std::string train = "run plan.yaml --data text --checkpoint-every 2 --csv ";
  ASSERT_EQ(ithaca_cli(train + "whole.csv --steps 9 --checkpoint whole").code, 0);
  EXPECT_FALSE(fs::exists("whole/step-00000006"));
  EXPECT_TRUE(fs::exists("whole/step-00000008"));
  ASSERT_EQ(ithaca_cli(train + "loss.csv --steps 5 --checkpoint kept").code, 0);
  ASSERT_EQ(ithaca_cli(train + "loss.csv --steps 9 --checkpoint kept --resume").code, 0);
  EXPECT_EQ(losses_of("loss.csv"), losses_of("whole.csv"));
  for (const auto& entry : fs::directory_iterator("whole/step-00000009"))
    EXPECT_EQ(read_file(entry.path()),
              read_file("kept/step-00000009/" + entry.path().filename().string()));
  const Ran again = ithaca_cli(train + "loss.csv --steps 9 --checkpoint kept --resume --json");
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.json().at("losses"), Json::array());
  EXPECT_TRUE(again.json().at("sent_bytes").at("measured").is_null());
  EXPECT_NEAR(again.json().at("final_loss").get<double>(),
              std::stod(losses_of("loss.csv").back().substr(2)), 0);
  EXPECT_EQ(losses_of("loss.csv"), losses_of("whole.csv"));
}

TEST_F(Train, RefusesInOneLineAndWritesNothing) {
  write_file("short", "too short");
  const auto before = files();
  const std::vector<std::pair<const char*, const char*>> cases{
      {"--steps 2", "--data: expected a text file, got nothing\n"},
      {"--steps 0 --data text",
       "--steps: expected a whole number from 1 to 1000000000, got \"0\"\n"},
      {"--steps ten --data text",
       "--steps: expected a whole number from 1 to 1000000000, got \"ten\"\n"},
      {"--steps 2 --data none", "none: expected a readable file, got: No such file or directory\n"},
      {"--steps 2 --data .", ".: expected a text file, got a directory\n"},
      {"--steps 2 --data short",
       "short: expected at least 33 bytes, one sample of 32 tokens and the byte after it, got 9, "
       "use a longer file or --seq 8\n"},
      {"--steps 2 --data text --learning-rate -1",
       "--learning-rate: expected a number above 0 such as 0.001, got \"-1\"\n"},
      {"--steps 2 --data text --clip 0",
       "--clip: expected a number above 0 such as 1, got \"0\"\n"},
      {"--steps 2 --data text --micro-batches 0",
       "--micro-batches: expected a whole number from 1 to 1048576, got \"0\"\n"},
      {"--steps 2 --data text --resume", "--resume: expected --checkpoint DIR too, got nothing\n"},
      {"--steps 2 --data text --resume --checkpoint kept",
       "--resume: expected a checkpoint in kept, got none, leave out --resume to begin\n"},
      {"--steps 2 --data text --checkpoint-every 1",
       "--checkpoint-every: expected --checkpoint DIR too, got nothing\n"},
      {"--steps 2 --data text --plot loss.svg",
       "--plot: expected --csv FILE too, which is drawn, got nothing\n"},
      {"--steps 2 --data text --csv loss.csv --plot loss.gif",
       "--plot: expected a name that ends in .svg or .png, got \"loss.gif\"\n"},
      {"--data text", "--data: expected --steps K too, got nothing\n"},
      {"--resume", "--resume: expected --steps K too, got nothing\n"},
      {"--verify", "--verify: expected --steps K too, got nothing\n"}};
  for (const auto& [args, message] : cases) {
    const Ran ran = ithaca_cli(std::string("run plan.yaml ") + args);
    EXPECT_EQ(ran.code, 2) << args;
    EXPECT_EQ(ran.out, "") << args;
    EXPECT_EQ(ran.err, message) << args;
    EXPECT_EQ(files(), before) << args;
  }
}

TEST_F(Train, TakesTheLeversOfThePlanAndLosesNothing) {
  PlanFile plan = load_plan("plan.yaml");
  plan.recompute = true;
  plan.job.micro_batches = 2;
  plan.job.tied = true;
  plan.job.vocabulary = 1000;
  plan.job.levers = {2, 2, true, true, true, 5000, 3};
  write_file("levers.yaml", to_yaml(plan));
  const Ran ran = ithaca_cli("run levers.yaml --steps 4 --data text --clip 1 --verify --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json().at("micro_batches"), 2);
  EXPECT_TRUE(ran.json().at("verified").get<bool>());
}

TEST_F(Train, RefusesMoreRanksThanThreads) {
  write_plan("wide.yaml", "data_ddp(p)", "p=512", 512);
  const Ran ran = ithaca_cli("run wide.yaml --steps 2 --data text");
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.err, "--communicator: expected a plan for at most 256 thread ranks, got 512\n");
}

TEST_F(Train, RefusesWhatDoesNotFitBeforeItTakesAnything) {
  const Ran plan = ithaca_cli(
      "plan --model llama-3.1-8b --cluster dgx-a100-80g --gpus 8 --seq 128k -o large.yaml");
  ASSERT_EQ(plan.code, 0) << plan.err;
  const auto before = files();
  const Ran ran =
      ithaca_cli("run large.yaml --steps 2 --data text --seq 8k --csv loss.csv --checkpoint kept");
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(one_line_only(ran.err)) << ran.err;
  EXPECT_TRUE(ran.err.starts_with("--layers: expected a training of at most ")) << ran.err;
  EXPECT_EQ(files(), before);
}

class ForeignCheckpoint : public TrainScratch {
 protected:
  void SetUp() override {
    TrainScratch::SetUp();
    const Ran ran =
        ithaca_cli("run plan.yaml --steps 2 --data text --checkpoint kept --csv loss.csv");
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  /// The message of a run that must leave everything as it is.
  static std::string refusal(const std::string& args) {
    const std::string csv = read_file("loss.csv");
    const Ran ran = ithaca_cli("run plan.yaml --checkpoint kept --resume --csv loss.csv " + args);
    EXPECT_EQ(ran.code, 2) << args;
    EXPECT_EQ(ran.out, "") << args;
    EXPECT_TRUE(one_line_only(ran.err)) << ran.err;
    EXPECT_EQ(read_file("loss.csv"), csv) << args;
    EXPECT_EQ(std::distance(fs::directory_iterator("kept"), {}), 1) << args;
    return ran.err;
  }
};

TEST_F(ForeignCheckpoint, IsRefusedByTheFactThatDiffers) {
  write_file("other", read_file("text") + "!");
  const std::string manifest = "kept/step-00000002/manifest.json: facts.training.";
  const std::vector<std::pair<const char*, const char*>> cases{
      {"--data text --seed 1", "seed: expected 1, got 0"},
      {"--data other", "data: expected "},
      {"--data text --layers 1", "layers: expected 1, got 2"},
      {"--data text --seq 16", "layer.L: expected 16, got 32"},
      {"--data text --dtype f32", "dtype: expected \"f32\", got \"f64\""},
      {"--data text --micro-batches 2", "samples_per_step: expected 2, got 1"},
      {"--data text --clip 1", "optimizer.clip_norm: expected 1.0, got 0.0"},
      {"--data text --learning-rate 1", "optimizer.learning_rate: expected 1.0, got 0.001"}};
  for (const auto& [args, message] : cases)
    EXPECT_EQ(refusal(std::string(args) + " --steps 4").find(manifest + message), 0U)
        << refusal(std::string(args) + " --steps 4");
}

TEST_F(ForeignCheckpoint, IsRefusedWhenDamagedOrAheadOrInTheWay) {
  EXPECT_EQ(refusal("--data text --steps 1"),
            "--steps: expected at least the 2 steps of kept/step-00000002, got 1\n");
  const Ran ran = ithaca_cli("run plan.yaml --steps 4 --data text --checkpoint kept");
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.err,
            "--checkpoint: expected a folder without checkpoints, got kept/step-00000002, use "
            "--resume or another folder\n");
  std::string bytes = read_file("kept/step-00000002/rank-00001.bin");
  bytes[bytes.size() / 2] ^= 1;
  write_file("kept/step-00000002/rank-00001.bin", bytes);
  EXPECT_TRUE(refusal("--data text --steps 4")
                  .starts_with("kept/step-00000002/rank-00001.bin: expected checksum "));
}

TEST_F(ForeignCheckpoint, RowsThatDoNotLeadUpToItAreRefused) {
  const std::string header = read_file("loss.csv").substr(0, 69);
  write_file("loss.csv", header + "1,2,3,4,5,6,7\n");
  EXPECT_EQ(refusal("--data text --steps 4"),
            "loss.csv: expected rows up to step 2, got 1, name another file with --csv\n");
  write_file("loss.csv", header + "1,2,3,4,5,6,7\n3,2,3,4,5,6,7\n");
  EXPECT_EQ(refusal("--data text --steps 4"),
            "loss.csv:3:1: expected the row of step 2, got \"3,2,3,4,5,6,7\", name another file "
            "with --csv\n");
  write_file("loss.csv", "notes\n");
  EXPECT_TRUE(refusal("--data text --steps 4").starts_with("loss.csv:1:1: expected \"step,loss,"));
  fs::remove("loss.csv");
  EXPECT_EQ(ithaca_cli("run plan.yaml --checkpoint kept --resume --csv loss.csv --data text "
                       "--steps 4")
                .code,
            0);
  EXPECT_EQ(losses_of("loss.csv").size(), 3U);
}

TEST_F(Train, DrawsItsLosses) {
  const Ran ran = ithaca_cli("run plan.yaml --steps 3 --data text --csv loss.csv --plot loss.svg");
  if (ran.code == 5 && ran.err.find("matplotlib") != std::string::npos)
    GTEST_SKIP() << "no matplotlib";
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(read_file("loss.svg").find("<svg"), std::string::npos);
  EXPECT_EQ(files(), (std::vector<std::string>{"loss.csv", "loss.svg", "plan.yaml", "text"}));
}

}  // namespace
}  // namespace ithaca
