// cli/console.h -- where verbs write: results to stdout; notes and progress to stderr.
//
// Notes wait until a verb has its result, so that a failure is one line and nothing else.
#pragma once

#include <atomic>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

namespace ithaca {

class Console {
 public:
  Console(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}

  /// One sentence, printed once with the result: `note: ...`.
  void note(const std::string& sentence);
  /// Prints the notes so far, then the result.
  void result(const std::string& text);
  /// The result as a file when `path` is given, else on stdout.  Throws EnvironmentError when it
  /// cannot be written.
  void result(const std::string& text, const std::string& path);
  /// Drops the notes so far: a failure is one line.
  void forget_notes() { notes_.clear(); }
  /// One line on stderr, after the notes.
  void complain(const std::string& line);

  /// Whether a person watches stderr.
  bool on_terminal() const;
  std::ostream& err() { return err_; }

 private:
  void print_notes();
  std::ostream& out_;
  std::ostream& err_;
  std::vector<std::string> notes_, printed_;
};

/// While it lives, a line on the terminal says what takes so long; without a terminal, nothing.
class Progress {
 public:
  Progress(Console&, std::string what);
  ~Progress();
  /// From now on the line says this.
  void say(std::string what);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  std::mutex mutex_;  // of what_
  std::string what_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace ithaca
