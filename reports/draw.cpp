#include "reports/draw.h"

#include "models/data_dir.h"
#include "models/error.h"
#include "models/nearest.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <spawn.h>
#include <sys/wait.h>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX asks for it

namespace ithaca {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string last_line_of(const fs::path& path) {
  std::string text = content_of(path);
  text.erase(text.find_last_not_of("\r\n ") + 1);
  return one_line(text.substr(text.find_last_of('\n') + 1));
}

/// The first interpreter that imports matplotlib, or nothing.
std::string find_python(const std::string& log) {
  std::vector<std::string> candidates{"python3", "/usr/bin/python3"};
  if (const char* const named = std::getenv("ITHACA_PYTHON"); named != nullptr && *named != '\0')
    candidates.insert(candidates.begin(), named);
  for (const std::string& python : candidates)
    if (run_command({python, "-c", "import matplotlib"}, log) == 0) return python;
  return "";
}

constexpr const char* no_python =
    "no python3 here imports matplotlib. Install the package python3-matplotlib, or name an "
    "interpreter in ITHACA_PYTHON.";

/// What a script draws of a file of `directory` into it.
Drawing drawn(const char* name, const char* data, const std::string& directory) {
  Drawing drawing;
  const std::string log = directory + "/figures.log";
  const std::string python = find_python(log);
  const fs::path script = data_dir() / "reports" / name;
  if (python.empty())
    drawing.problem = fmt::format("Pictures are missing: {}", no_python);
  else if (!fs::exists(script))
    drawing.problem = fmt::format("Pictures are missing: {} is not there.", script.string());
  else if (run_command({python, script.string(), directory + '/' + data, directory}, log) != 0)
    drawing.problem = fmt::format("Pictures are missing: {}", last_line_of(log));
  if (drawing.problem.empty())
    for (const fs::directory_entry& entry : fs::directory_iterator(directory))
      if (entry.path().extension() == ".svg")
        drawing.pictures[entry.path().stem().string()] = content_of(entry.path());
  fs::remove(log);
  return drawing;
}

}  // namespace

int run_command(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = 0;
  const int failed =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return 127;
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Drawing draw_figures(const std::string& directory) {
  return drawn("figures.py", "report.json", directory);
}

Drawing draw_accuracy(const std::string& directory) {
  return drawn("accuracy.py", "accuracy.csv", directory);
}

std::string why_no_pictures() {
  return find_python("/dev/null").empty() ? no_python : "";
}

void draw_losses(const std::string& csv, const std::string& picture) {
  const std::string log = picture + ".log", python = find_python(log);
  const fs::path script = data_dir() / "reports" / "losses.py";
  std::string problem;
  if (python.empty())
    problem = no_python;
  else if (run_command({python, script.string(), csv, picture}, log) != 0)
    problem = last_line_of(log);
  fs::remove(log);
  if (!problem.empty())
    throw EnvironmentError(fmt::format("{}: cannot be drawn: {}", picture, problem));
}

}  // namespace ithaca
