// A training killed at any moment and resumed is the training that was not killed, to the bit.
#include "tests/cli/train_scratch.h"
#include "train/checkpoint.h"

#include <chrono>
#include <csignal>
#include <random>
#include <sys/wait.h>
#include <thread>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

class KilledTraining : public TrainScratch {
 protected:
  static std::string line(const std::string& name) {
    return "run plan.yaml --steps 40 --data text --clip 1 --micro-batches 2 --checkpoint-every 3 "
           "--csv " +
           name + ".csv --checkpoint " + name;
  }

  /// Whether the process ended before it was killed.
  static bool ended_within(const std::string& args, std::chrono::microseconds time) {
    const pid_t child = fork();
    if (child == 0) _exit(ithaca_cli(args).code);
    const auto until = std::chrono::steady_clock::now() + time;
    int status = 0;
    while (std::chrono::steady_clock::now() < until) {
      if (waitpid(child, &status, WNOHANG) == child) {
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << args << ' ' << status;
        return true;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) || status == 0) << status;
    return false;
  }
};

TEST_F(KilledTraining, ResumesToTheBit) {
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(ithaca_cli(line("whole")).code, 0);
  const auto whole_run = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);
  std::mt19937_64 random(7);
  int kills = 0, resumed = 0;
  const auto killed_or_ended = [&](std::chrono::microseconds time) {
    const bool resumes = latest_checkpoint("kept").has_value();
    resumed += resumes ? 1 : 0;
    return ended_within(line("kept") + (resumes ? " --resume" : ""), time);
  };
  // The last checkpoint moves on by a tenth of the run in the mean, so that kills meet all of it.
  while (kills < 10 && !killed_or_ended(std::chrono::microseconds(
                           1 + static_cast<std::int64_t>(random() % (whole_run.count() / 4)))))
    ++kills;
  EXPECT_TRUE(killed_or_ended(std::chrono::minutes(5)));
  EXPECT_GE(kills, 4);
  EXPECT_GE(resumed, 2);
  EXPECT_EQ(losses_of("kept.csv"), losses_of("whole.csv"));
  EXPECT_EQ(losses_of("kept.csv").size(), 41U);
  int compared = 0;
  for (const auto& entry : fs::directory_iterator("whole/step-00000040")) {
    EXPECT_EQ(read_file(entry.path()),
              read_file("kept/step-00000040/" + entry.path().filename().string()));
    ++compared;
  }
  EXPECT_EQ(compared, 5);
}

}  // namespace
}  // namespace ithaca
