#include "reports/report_input.h"

#include "models/error.h"
#include "models/nearest.h"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace ithaca {
namespace {

using Json = nlohmann::ordered_json;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const bool readable = in && !std::filesystem::is_directory(path);
  std::string text{readable ? std::istreambuf_iterator<char>(in) : std::istreambuf_iterator<char>(),
                   {}};
  if (!readable)
    throw InputError(Place{path}, "", "expected plan.yaml or run.json, cannot be read");
  return text;
}

/// One value of a run.json and its place in words: "run.json: sent_bytes.measured".
class Field {
 public:
  Field(const Json& value, std::string path, std::string key)
      : value_(value), path_(std::move(path)), key_(std::move(key)) {}

  Field at(const std::string& key) const {
    if (!has(key)) Field(value_, path_, below(key)).fail("expected a value, got nothing");
    return {value_.at(key), path_, below(key)};
  }
  bool has(const std::string& key) const { return value_.is_object() && value_.contains(key); }

  std::vector<Field> items() const {
    if (!value_.is_array()) fail("expected a list");
    std::vector<Field> items;
    for (std::size_t i = 0; i < value_.size(); ++i)
      items.push_back({value_[i], path_, fmt::format("{}[{}]", key_, i)});
    return items;
  }

  std::vector<std::pair<std::string, Field>> members() const {
    if (!value_.is_object()) fail("expected an object");
    std::vector<std::pair<std::string, Field>> members;
    for (const auto& [key, value] : value_.items())
      members.push_back({key, Field(value, path_, below(key))});
    return members;
  }

  std::string text() const {
    if (!value_.is_string()) fail("expected a text");
    return one_line(value_.get<std::string>());
  }
  std::int64_t whole() const {
    if (!value_.is_number_integer() || value_.get<std::int64_t>() < 0)
      fail("expected a whole number from 0");
    return value_.get<std::int64_t>();
  }
  double number() const {
    if (!value_.is_number()) fail("expected a number");
    return value_.get<double>();
  }
  bool boolean() const {
    if (!value_.is_boolean()) fail("expected true or false");
    return value_.get<bool>();
  }
  /// A text as it is, a list joined by dots, an object as "r=2,u=4".
  std::string words() const {
    if (value_.is_string()) return text();
    std::string words;
    if (value_.is_object()) {
      for (const auto& [key, value] : value_.items())
        words += fmt::format("{}{}={}", words.empty() ? "" : ",", one_line(key), value.dump());
    } else {
      for (const Field& item : items())
        words += fmt::format("{}{}", words.empty() ? "" : ".", item.text());
    }
    return words;
  }
  /// Lanes are numbers in programs, names in files that were made for people.
  std::string lane() const {
    if (!value_.is_number_integer()) return text();
    return whole() == 0 ? "compute" : fmt::format("lane {}", whole());
  }

  [[noreturn]] void fail(const std::string& expected) const {
    throw InputError(Place{path_}, key_,
                     fmt::format("{}, make the file again with `ithaca run`", expected));
  }

 private:
  std::string below(const std::string& key) const {
    return key_.empty() ? key : fmt::format("{}.{}", key_, key);
  }

  const Json& value_;
  std::string path_, key_;
};

RunBytes read_bytes(const Field& field) {
  return {field.at("predicted").whole(), field.at("measured").whole()};
}

RunCollective read_collective(const Field& field) {
  return {field.at("phase").text(),          field.at("kind").text(),
          field.at("axes").words(),          field.at("tensor").text(),
          field.at("calls").whole(),         field.at("predicted_bytes").whole(),
          field.at("measured_bytes").whole()};
}

Mesh read_mesh(const Field& field) {
  std::vector<Mesh::Extent> extents;
  for (const auto& [axis, ranks] : field.members()) {
    const std::int64_t n = ranks.whole();
    if (n < 1 || n > 1 << 24) ranks.fail("expected from 1 to 16777216 ranks");
    extents.push_back({one_line(axis), static_cast<int>(n)});
  }
  if (extents.size() > max_axes) field.fail(fmt::format("expected at most {} axes", max_axes));
  return Mesh(std::move(extents));
}

NamedSpan read_span(const Field& field) {
  NamedSpan span{static_cast<int>(field.at("rank").whole()),
                 field.at("name").text(),
                 field.at("lane").lane(),
                 field.at("phase").text(),
                 field.at("begin_s").number(),
                 field.at("end_s").number()};
  if (span.end_s < span.begin_s) field.fail("expected an end after the begin");
  return span;
}

RunRecord read_run(const Field& run, const std::string& path) {
  if (!run.has("schema") || run.at("schema").text() != "ithaca/1")
    run.at("schema").fail("expected \"ithaca/1\"");
  if (run.at("kind").text() != "run")
    run.at("kind").fail(fmt::format("expected \"run\", got {}", in_quotes(run.at("kind").text())));
  RunRecord record;
  record.path = path;
  record.strategy = run.at("strategy").text();
  record.mesh = read_mesh(run.at("mesh"));
  record.shape = run.at("shape").words();
  record.dtype = run.at("dtype").text();
  if (run.has("tolerance"))
    record.tolerance = run.at("tolerance").number();
  else if (record.dtype == "f64")
    record.tolerance = 1e-10;
  for (const Field& item : run.at("collectives").items())
    record.collectives.push_back(read_collective(item));
  for (const auto& [tensor, error] : run.at("max_relative_error").members())
    record.max_relative_error.emplace_back(one_line(tensor), error.number());
  record.live_bytes = read_bytes(run.at("live_bytes"));
  record.sent_bytes = read_bytes(run.at("sent_bytes"));
  for (const Field& item : run.at("spans").items()) record.spans.push_back(read_span(item));
  record.verified = run.at("verified").boolean();
  return record;
}

}  // namespace

RunRecord load_run(const std::string& path) {
  const Json json = Json::parse(content_of(path), nullptr, false);
  if (json.is_discarded() || !json.is_object())
    throw InputError(Place{path}, "",
                     "expected a run.json of `ithaca run`, got text that is no JSON object");
  return read_run(Field(json, path, ""), path);
}

ReportInput read_report_input(const std::vector<std::string>& files) {
  ReportInput input;
  if (files.empty()) throw InputError("FILE", "expected plan.yaml and run.json files, got none");
  for (const std::string& path : files) {
    const std::string text = content_of(path);
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && (text[first] == '{' || text[first] == '[')) {
      input.runs.push_back(load_run(path));
    } else {
      PlanFile plan = load_plan(path);
      if (input.plan) throw InputError(Place{path}, "", "expected one plan.yaml, got a second");
      input.plan = std::move(plan);
    }
  }
  return input;
}

}  // namespace ithaca
