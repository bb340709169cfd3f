// tests/cli/cli_run.h -- the command line called as a function.
#pragma once

#include "cli/app.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace ithaca {

struct Ran {
  int code = -1;
  std::string out, err;
  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

inline Ran ithaca_cli(const std::vector<std::string>& args) {
  std::ostringstream out, err;
  const int code = cli_main(args, out, err);
  return {code, out.str(), err.str()};
}

/// Words between spaces.
inline std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

inline Ran ithaca_cli(const std::string& line) {
  return ithaca_cli(words_of(line));
}

inline bool one_line_only(const std::string& text) {
  return !text.empty() && text.find('\n') == text.size() - 1;
}

}  // namespace ithaca
