// A save that is killed or fails leaves whole checkpoints.
#include "tests/train/scratch.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <random>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

class KilledSave : public Scratch {};

void save_steps(std::int64_t steps, double from) {
  small_state(from).save(checkpoint_name(steps), {{"from", from}});
}

/// The number the latest checkpoint's tensors start at; -1 when they disagree, 0 for none.
double latest_from() {
  const auto latest = latest_checkpoint(".");
  if (!latest) return 0;
  const Checkpoint checkpoint = load_checkpoint(*latest, small_state().expected());
  const double from = checkpoint.facts.at("from");
  for (const auto& [name, tensor] : checkpoint.tensors)
    for (std::size_t i = 0; i < tensor.size(); ++i)
      if (tensor[i] != from + static_cast<double>(i)) return -1;
  return from;
}

int hidden_folders() {
  int n = 0;
  for (const auto& entry : fs::directory_iterator("."))
    n += entry.path().filename().string().starts_with('.') ? 1 : 0;
  return n;
}

/// A process that does `work` and ends; it never comes back into the tests.
template <class Work>
pid_t start(const Work& work) {
  const pid_t child = fork();
  if (child != 0) return child;
  try {
    work();
  } catch (...) {
    _exit(1);
  }
  _exit(0);
}

TEST_F(KilledSave, AtRandomTimesLeavesTheLatestWhole) {
  std::mt19937_64 random(1);
  double last = 0;
  for (int kill_number = 0; kill_number < 30; ++kill_number) {
    const pid_t child = start([&] {
      for (std::int64_t steps = static_cast<std::int64_t>(last) + 1;; ++steps) {
        save_steps(steps, static_cast<double>(steps));
        save_steps(steps, static_cast<double>(steps));
        prune_checkpoints(".", 2);
      }
    });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30000));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    ASSERT_GE(latest_from(), last);
    ASSERT_LE(hidden_folders(), 1);
    last = latest_from();
  }
  EXPECT_GT(last, 0);
  save_steps(static_cast<std::int64_t>(last) + 1, last + 1);
  EXPECT_EQ(hidden_folders(), 0);
  prune_checkpoints(".", 2);
  EXPECT_EQ(std::distance(fs::directory_iterator("."), {}), 2);
}

/// Kills a process that does `work` where it enters or leaves a system call for the n-th time; false
/// when it ended before.
template <class Work>
bool killed_at(int n, const Work& work) {
  const pid_t child = start([&] {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    work();
  });
  int status = 0;
  waitpid(child, &status, 0);
  for (int i = 0; i < n && WIFSTOPPED(status); ++i) {
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    waitpid(child, &status, 0);
  }
  if (!WIFSTOPPED(status)) return false;
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return true;
}

bool can_trace() {
  int status = 0;
  const pid_t child =
      start([] { _exit(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1); });
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Kills saves of `steps` at every system call, where steps 1 starts at 1; what is saved starts at 2.
void kill_everywhere(std::int64_t steps) {
  int kills = 0, halves = 0, old = 0;
  bool killed = true;
  while (killed) {
    fs::remove_all(checkpoint_name(1));
    fs::remove_all(checkpoint_name(2));
    save_steps(1, 1);
    ASSERT_EQ(hidden_folders(), 0);
    killed = killed_at(++kills, [&] { save_steps(steps, 2); });
    const double from = latest_from();
    ASSERT_TRUE(from == 1 || from == 2) << from << " after kill " << kills;
    halves += hidden_folders();
    old += from == 1 ? 1 : 0;
  }
  EXPECT_EQ(latest_from(), 2);
  EXPECT_GT(kills, 30);
  EXPECT_GT(halves, 15);
  EXPECT_GT(old, 15);
  EXPECT_GT(kills - old, 1);
}

TEST_F(KilledSave, AtEverySystemCallLeavesTheLatestWhole) {
  if (!can_trace()) GTEST_SKIP() << "no tracing of processes here";
  kill_everywhere(2);
}

TEST_F(KilledSave, AtEverySystemCallLeavesAReplacedOneOldOrNew) {
  if (!can_trace()) GTEST_SKIP() << "no tracing of processes here";
  kill_everywhere(1);
}

TEST_F(KilledSave, APruneKilledAtEverySystemCallLeavesWholeOnes) {
  if (!can_trace()) GTEST_SKIP() << "no tracing of processes here";
  bool killed = true;
  for (int n = 1; killed; ++n) {
    save_steps(1, 1);
    save_steps(2, 2);
    killed = killed_at(n, [] { prune_checkpoints(".", 1); });
    ASSERT_EQ(latest_from(), 2);
    if (!fs::exists(checkpoint_name(1))) continue;
    ASSERT_NO_THROW(load_checkpoint(checkpoint_name(1), small_state().expected()));
  }
  EXPECT_FALSE(fs::exists(checkpoint_name(1)));
}

/// This process can no longer exchange names, as on NFS.
void forbid_exchange() {
  std::array<sock_filter, 4> filter{{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
                                     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
                                     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
  const sock_fprog program{filter.size(), filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0 ||
      syscall(SYS_renameat2, 0, "", 0, "", 0) != -1 || errno != EINVAL)
    _exit(77);
}

TEST_F(KilledSave, WithoutExchangeOfNamesTheOldOneIsReplacedToo) {
  save_steps(1, 1);
  const pid_t child = start([] {
    forbid_exchange();
    save_steps(1, 2);
  });
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no filter of system calls";
  EXPECT_EQ(status, 0);
  EXPECT_EQ(latest_from(), 2);
  EXPECT_EQ(hidden_folders(), 0);
}

class FailedSave : public Scratch {};

TEST_F(FailedSave, IsTheEnvironmentsFaultInOneLine) {
  write_bytes("file", "x");
  fs::create_directory("mine");
  write_bytes("mine/notes", "x");
  const auto before = listing(".");
  const auto save = [](const char* path) {
    return failure([&] { small_state().save(path, nlohmann::json::object()); });
  };
  EXPECT_EQ(save("none/step-1"), "none: cannot be written: No such file or directory");
  EXPECT_EQ(save("file/step-1"), "file: cannot be written: Not a directory");
  EXPECT_EQ(save("/proc/step-1"), "/proc/step-1: cannot be written: No such file or directory");
  EXPECT_EQ(save("file"), "file: cannot be written: it is there and is not a checkpoint");
  EXPECT_EQ(save("mine"), "mine: cannot be written: it is there and is not a checkpoint");
  EXPECT_EQ(failure([] { prune_checkpoints("file", 1); }),
            "file: cannot be written: Not a directory");
  EXPECT_EQ(listing("."), before);
}

TEST_F(FailedSave, OnAFullDiskLeavesNothingNewAndTheOldWhole) {
  save_steps(1, 1);
  const auto before = listing(".");
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit few{16, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &few);
  const std::string next = failure([] { save_steps(2, 2); });
  const std::string again = failure([] { save_steps(1, 2); });
  setrlimit(RLIMIT_FSIZE, &old);
  static_cast<void>(signal(SIGXFSZ, handler));
  EXPECT_EQ(
      next,
      "./.step-00000002.new.checkpoint.tmp/rank-00000.bin: cannot be written: File too large");
  EXPECT_EQ(
      again,
      "./.step-00000001.new.checkpoint.tmp/rank-00000.bin: cannot be written: File too large");
  EXPECT_EQ(listing("."), before);
  EXPECT_EQ(latest_from(), 1);
}

}  // namespace
}  // namespace ithaca
