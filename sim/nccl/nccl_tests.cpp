#include "models/nearest.h"
#include "sim/nccl/tables.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <set>
#include <sstream>

namespace ithaca {
namespace {

/// A row ends in time, algbw, busbw and wrong results, out of place and in place.
constexpr std::size_t figures = 8;

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::optional<double> number_in(const std::string& word) {
  double value = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value) || value < 0)
    return std::nullopt;
  return value;
}

class Reader {
 public:
  Reader(std::string name, std::string collective) : name_(std::move(name)) {
    table_.place = {name_};
    table_.file = name_;
    table_.source = "nccl-tests";
    table_.collective = std::move(collective);
  }

  void line(const std::string& text) {
    ++line_;
    const std::vector<std::string> words = words_of(text);
    if (words.empty()) return;
    if (words[0].starts_with('#'))
      comment(words, text);
    else if (begun_ && !ended_ && text.find("NCCL ") == std::string::npos)  // its log in between
      row(words);
  }

  CollectiveTable table() && {
    if (!begun_) fail("", "expected nccl-tests' heading \"# size count type ...\", got none");
    if (!ended_ || table_.points.empty())
      fail("", "expected the closing line \"# Avg bus bandwidth\", got the end of the output");
    if (table_.collective.empty())
      fail("", "expected a line \"# Collective test concluded: ...\", got none, say which it was");
    table_.gpus = std::max(1, ranks_);
    table_.nodes = std::max(1, static_cast<int>(hosts_.size()));
    table_.gpus_per_node = table_.gpus / table_.nodes;
    std::ranges::stable_sort(table_.points, {}, &CollectivePoint::bytes);
    return std::move(table_);
  }

 private:
  [[noreturn]] void fail(std::string_view key, std::string_view message) const {
    throw InputError({name_, std::max(1, line_), 1}, key, message);
  }

  void comment(const std::vector<std::string>& words, const std::string& text) {
    const auto has = [&](std::string_view word) {
      return std::ranges::find(words, word) != words.end();
    };
    begun_ = begun_ || (has("size") && has("count") && has("busbw"));
    ended_ = ended_ || text.find("Avg bus bandwidth") != std::string::npos;
    if (words.size() > 1 && words[1] == "Rank") rank(words, text);
    constexpr std::string_view concluded = "Collective test concluded: ";
    if (const auto at = text.find(concluded); at != std::string::npos) {
      const std::vector<std::string> test = words_of(text.substr(at + concluded.size()));
      if (test.empty() || !test[0].ends_with("_perf"))
        fail("", fmt::format("expected a test such as \"all_reduce_perf\", got {}",
                             in_quotes(test.empty() ? "" : test[0])));
      table_.collective = test[0].substr(0, test[0].rfind("_perf"));
    }
  }

  /// "#  Rank  0 Group  0 Pid  4242 on  host  device  0 [0x07] NVIDIA A100"
  void rank(const std::vector<std::string>& words, const std::string& text) {
    ++ranks_;
    const auto on = std::ranges::find(words, "on");
    if (on != words.end() && on + 1 != words.end()) hosts_.insert(*(on + 1));
    if (const auto at = text.find("] "); at != std::string::npos) table_.gpu = text.substr(at + 2);
  }

  double figure(const std::string& word, std::string_view key) const {
    const std::optional<double> value = number_in(word);
    if (!value) fail(key, fmt::format("expected a number, got {}", in_quotes(word)));
    return *value;
  }

  void row(const std::vector<std::string>& words) {
    if (words.size() < figures + 3)
      fail("", fmt::format("expected a row of size, count, type and {} figures, got {} words",
                           figures, words.size()));
    const std::size_t time = words.size() - figures;
    const double bytes = figure(words[0], "size"), us = figure(words[time], "time");
    const double rate = figure(words[time + 1], "algbw");
    for (const std::size_t at : {time + 2, time + 4, time + 5, time + 6})
      figure(words[at], "figure");
    for (const std::size_t at : {time + 3, time + 7})
      if (words[at] != "0" && words[at] != "N/A" && figure(words[at], "#wrong") > 0)
        fail("#wrong", fmt::format("expected no wrong results, got {}", words[at]));
    if (bytes == 0) return;  // below one element a rank
    if (us == 0) fail("time", "expected a time above 0, got 0");
    if (std::abs(rate - bytes / us * 1e-3) > 0.011 + 0.02 * rate)
      fail("algbw", fmt::format("expected size / time = {:.4g} GB/s, got {}", bytes / us * 1e-3,
                                words[time + 1]));
    table_.points.push_back({bytes, us * 1e-6});
  }

  std::string name_;
  CollectiveTable table_;
  int line_ = 0, ranks_ = 0;
  std::set<std::string> hosts_;
  bool begun_ = false, ended_ = false;
};

}  // namespace

CollectiveTable nccl_tests_table(const std::string& output, const std::string& name,
                                 const std::string& collective) {
  Reader reader(name, collective);
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) reader.line(line);
  return std::move(reader).table();
}

}  // namespace ithaca
