#include "models/yaml.h"

#include "models/nearest.h"
#include "models/units.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>

namespace ithaca {
namespace {

Place place_of(const std::string& file, const YAML::Mark& mark) {
  if (mark.is_null()) return {file};
  return {file, mark.line + 1, mark.column + 1};
}

std::string kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return in_quotes(node.Scalar());
  return "nothing";
}

template <class Number>
std::optional<Number> parsed(const std::string& text) {
  Number value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

/// YAML::Load reads the first document only, and YAML::LoadAll never returns for some broken files.
void refuse_second_document(const std::string& content, const std::string& name) {
  std::istringstream lines(content);
  bool begun = false;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const bool marker = line.starts_with("---") || line.starts_with("...");
    if (begun && marker)
      throw InputError({name, number, 1}, "", "expected one document, got a second");
    const std::size_t first = line.find_first_not_of(" \t\r");
    begun = begun || (first != std::string::npos && line[first] != '#' && line[first] != '%');
  }
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream content;
  if (stream && stream.peek() != std::ifstream::traits_type::eof()) content << stream.rdbuf();
  if (stream.bad() || (!stream && !stream.eof())) {
    const int error = errno;
    throw InputError({path}, "",
                     fmt::format("expected a readable file, got: {}",
                                 error == 0 ? "read error" : std::strerror(error)));
  }
  return content.str();
}

Yaml Yaml::file(const std::string& path) {
  return parse(read_file(path), path);
}

Yaml Yaml::parse(const std::string& content, const std::string& name) {
  refuse_second_document(content, name);
  try {
    // yaml-cpp notices an unclosed quote only when the file does not end in a line break.
    const std::string trimmed = content.substr(0, content.find_last_not_of(" \t\r\n") + 1);
    const YAML::Node document = YAML::Load(trimmed);
    if (document.IsNull()) throw InputError({name}, "", "expected a map, got an empty file");
    return {document, name, "", document.Mark()};
  } catch (const YAML::Exception& error) {
    throw InputError(place_of(name, error.mark), "",
                     fmt::format("not valid YAML: {}", one_line(error.msg)));
  }
}

Yaml::Yaml(const YAML::Node& node, std::string file, std::string key, const YAML::Mark& mark)
    : node_(node), file_(std::move(file)), key_(std::move(key)), mark_(mark) {
  if (node_.IsMap()) refuse_duplicates();
}

Yaml Yaml::child(const YAML::Node& node, std::string key, const YAML::Mark& mark) const {
  return {node, file_, std::move(key), node.IsNull() ? mark : node.Mark()};
}

void Yaml::refuse_duplicates() const {
  std::vector<std::string> seen;
  for (const auto& pair : node_) {
    if (!pair.first.IsScalar()) {
      throw InputError(place_of(file_, pair.first.Mark()), key_,
                       fmt::format("expected a word as key, got {}", kind_of(pair.first)));
    }
    const std::string& name = pair.first.Scalar();
    if (std::ranges::find(seen, name) != seen.end()) {
      throw InputError(place_of(file_, pair.first.Mark()), key_,
                       fmt::format("duplicate key {}", in_quotes(name)));
    }
    seen.push_back(name);
  }
}

void Yaml::require_map() const {
  if (!node_.IsMap()) expected("a map");
}

void Yaml::allow(std::initializer_list<std::string_view> keys) const {
  require_map();
  const std::vector<std::string> known(keys.begin(), keys.end());
  for (const auto& pair : node_) {
    const std::string& name = pair.first.Scalar();
    if (std::ranges::find(known, name) != known.end()) continue;
    std::string hint = did_you_mean(name, known);
    constexpr std::size_t most_listed = 12;
    if (hint.empty() && known.size() <= most_listed) {
      hint = fmt::format(", expected one of {}", fmt::join(known, ", "));
    }
    throw InputError(place_of(file_, pair.first.Mark()), key_,
                     fmt::format("unknown key {}{}", in_quotes(name), hint));
  }
}

Yaml Yaml::at(std::string_view key) const {
  if (std::optional<Yaml> found = find(key)) return *found;
  fail(fmt::format("missing key \"{}\"", key));
}

std::optional<Yaml> Yaml::find(std::string_view key) const {
  require_map();
  for (const auto& pair : node_) {
    if (pair.first.Scalar() != key) continue;
    const std::string path = key_.empty() ? std::string(key) : fmt::format("{}.{}", key_, key);
    return child(pair.second, path, pair.first.Mark());
  }
  return std::nullopt;
}

std::vector<std::string> Yaml::keys() const {
  require_map();
  std::vector<std::string> names;
  for (const auto& pair : node_) names.push_back(pair.first.Scalar());
  return names;
}

std::vector<Yaml> Yaml::items() const {
  if (!node_.IsSequence()) expected("a list");
  std::vector<Yaml> nodes;
  for (const YAML::Node& item : node_) {
    nodes.push_back(child(item, fmt::format("{}[{}]", key_, nodes.size()), mark_));
  }
  return nodes;
}

bool Yaml::is_blank() const {
  return node_.IsNull() || (node_.IsScalar() && node_.Scalar().empty());
}

std::string Yaml::scalar(std::string_view what) const {
  if (!node_.IsScalar()) expected(what);
  return node_.Scalar();
}

std::string Yaml::text() const {
  std::string value = scalar("text");
  if (value.empty()) expected("text");
  return value;
}

std::int64_t Yaml::integer() const {
  const std::optional<std::int64_t> value = parsed<std::int64_t>(scalar("a whole number"));
  if (!value) expected("a whole number");
  return *value;
}

std::int64_t Yaml::integer(std::int64_t least, std::int64_t most) const {
  const std::int64_t value = integer();
  if (value < least || value > most) {
    expected(fmt::format("a whole number from {} to {}", least, most));
  }
  return value;
}

double Yaml::number() const {
  const std::optional<double> value = parsed<double>(scalar("a number"));
  if (!value || !std::isfinite(*value)) expected("a number");
  return *value;
}

double Yaml::positive() const {
  const double value = number();
  if (value <= 0) expected("a number above 0");
  return value;
}

bool Yaml::boolean() const {
  const std::string value = scalar("true or false");
  if (value != "true" && value != "false") expected("true or false");
  return value == "true";
}

std::string Yaml::one_of(std::initializer_list<std::string_view> words) const {
  const std::string what = fmt::format("one of {}", fmt::join(words, ", "));
  std::string value = scalar(what);
  if (std::ranges::find(words, value) != words.end()) return value;
  fail(fmt::format("expected {}, got {}{}", what, in_quotes(value),
                   did_you_mean(value, {words.begin(), words.end()})));
}

std::int64_t Yaml::bytes() const {
  const std::string value = scalar("a number with unit such as \"80 GiB\"");
  return std::llround(quantity(value, Dimension::bytes, place(), key_));
}

double Yaml::bandwidth_bytes_per_s() const {
  const std::string value = scalar("a number with unit such as \"450 GB/s\"");
  return quantity(value, Dimension::bytes_per_s, place(), key_);
}

double Yaml::seconds() const {
  return quantity(scalar("a number with unit such as \"5 us\""), Dimension::seconds, place(), key_);
}

double Yaml::flops_per_s() const {
  const std::string value = scalar("a number with unit such as \"312 TFLOP/s\"");
  return quantity(value, Dimension::flops_per_s, place(), key_);
}

Place Yaml::place() const {
  return place_of(file_, mark_);
}

void Yaml::fail(std::string_view message) const {
  throw InputError(place(), key_, message);
}

void Yaml::expected(std::string_view what) const {
  fail(fmt::format("expected {}, got {}", what, kind_of(node_)));
}

}  // namespace ithaca
