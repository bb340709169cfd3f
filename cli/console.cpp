#include "cli/console.h"

#include "planner/plan_file.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <iostream>
#include <unistd.h>
#include <utility>

namespace ithaca {

void Console::note(const std::string& sentence) {
  const auto has = [&](const std::vector<std::string>& notes) {
    return std::ranges::find(notes, sentence) != notes.end();
  };
  if (!has(notes_) && !has(printed_)) notes_.push_back(sentence);
}

void Console::print_notes() {
  for (const std::string& note : notes_) err_ << "note: " << note << '\n';
  err_.flush();
  printed_.insert(printed_.end(), notes_.begin(), notes_.end());
  notes_.clear();
}

void Console::result(const std::string& text) {
  print_notes();
  out_ << text;
  out_.flush();
}

void Console::result(const std::string& text, const std::string& path) {
  if (path.empty()) return result(text);
  write_file(path, text);
  note(fmt::format("{} written", path));
  result("");
}

void Console::complain(const std::string& line) {
  print_notes();
  err_ << line << '\n';
  err_.flush();
}

bool Console::on_terminal() const {
  return &err_ == &std::cerr && isatty(STDERR_FILENO) == 1;
}

Progress::Progress(Console& console, std::string what) : what_(std::move(what)) {
  if (!console.on_terminal()) return;
  thread_ = std::thread([this, &err = console.err()] {
    using namespace std::chrono_literals;
    const auto start = std::chrono::steady_clock::now();
    auto shown = start;
    while (!done_) {
      std::this_thread::sleep_for(50ms);
      const auto now = std::chrono::steady_clock::now();
      if (now - start < 1s || now - shown < 500ms) continue;
      shown = now;
      const std::lock_guard lock(mutex_);
      err << fmt::format("\r\x1b[K{} ... {:.0f} s", what_,
                         std::chrono::duration<double>(now - start).count())
          << std::flush;
    }
    if (shown != start) err << "\r\x1b[K" << std::flush;
  });
}

void Progress::say(std::string what) {
  const std::lock_guard lock(mutex_);
  what_ = std::move(what);
}

Progress::~Progress() {
  done_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace ithaca
