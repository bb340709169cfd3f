#include "models/json_object.h"

#include "models/nearest.h"
#include "models/yaml.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

namespace ithaca {
namespace {

Place place_at(const std::string& path, const std::string& content, std::size_t offset) {
  const std::string_view before = std::string_view(content).substr(0, offset);
  const std::size_t line_start = before.rfind('\n');
  const std::size_t column =
      line_start == std::string_view::npos ? offset : offset - line_start - 1;
  return {path, static_cast<int>(std::ranges::count(before, '\n')) + 1,
          static_cast<int>(column) + 1};
}

/// The part of the parser's message after its own name and place: "[json...] ... - unexpected end
/// of input; ..."
std::string reason(const std::string& what) {
  for (const std::string_view mark : {" - ", "] "}) {
    if (const std::size_t at = what.find(mark); at != std::string::npos)
      return what.substr(at + mark.size());
  }
  return what;
}

std::string shown(const nlohmann::json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  if (value.is_string()) return in_quotes(value.get<std::string>());
  return value.dump();
}

}  // namespace

JsonObject JsonObject::file(const std::string& path) {
  const auto content = std::make_shared<const std::string>(read_file(path));
  try {
    nlohmann::json value = nlohmann::json::parse(*content);
    if (!value.is_object()) {
      throw InputError({path, 1, 1}, "", fmt::format("expected an object, got {}", shown(value)));
    }
    return {std::move(value), path, content, 0};
  } catch (const nlohmann::json::parse_error& error) {
    const std::size_t offset = std::min(error.byte > 0 ? error.byte - 1 : 0, content->size());
    throw InputError(place_at(path, *content, offset), "",
                     fmt::format("not valid JSON: {}", reason(error.what())));
  } catch (const nlohmann::json::exception& error) {  // a number beyond any double has no place
    throw InputError({path}, "", fmt::format("not valid JSON: {}", reason(error.what())));
  }
}

JsonObject::JsonObject(nlohmann::json value, std::string path,
                       std::shared_ptr<const std::string> content, std::size_t start)
    : value_(std::move(value)),
      path_(std::move(path)),
      content_(std::move(content)),
      start_(start) {}

std::size_t JsonObject::offset_of(std::string_view key) const {
  if (key.empty()) return start_;
  const std::string name = fmt::format("\"{}\"", key);
  for (std::size_t at = content_->find(name, start_); at != std::string::npos;
       at = content_->find(name, at + 1)) {
    const std::size_t next = content_->find_first_not_of(" \t\r\n", at + name.size());
    if (next != std::string::npos && (*content_)[next] == ':') return at;
  }
  return start_;
}

bool JsonObject::has(std::string_view key) const {
  const auto found = value_.find(key);
  return found != value_.end() && !found->is_null();
}

const nlohmann::json* JsonObject::find(Keys keys, std::string_view& name) const {
  const auto* const key =
      std::ranges::find_if(keys, [&](std::string_view one) { return has(one); });
  name = key == keys.end() ? *keys.begin() : *key;
  return key == keys.end() ? nullptr : &*value_.find(*key);
}

std::optional<JsonObject> JsonObject::object(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  const nlohmann::json& value = *value_.find(key);
  if (!value.is_object()) fail(key, fmt::format("expected an object, got {}", shown(value)));
  return JsonObject(value, path_, content_, offset_of(key));
}

const nlohmann::json* JsonObject::list(std::string_view key) const {
  if (!has(key)) return nullptr;
  const nlohmann::json& value = *value_.find(key);
  if (!value.is_array()) fail(key, fmt::format("expected a list, got {}", shown(value)));
  return &value;
}

std::int64_t JsonObject::integer(Keys keys, std::int64_t least, std::int64_t most,
                                 std::int64_t absent) const {
  std::string_view name;
  const nlohmann::json* const value = find(keys, name);
  if (value == nullptr) return absent;
  const auto fits = [&](std::uint64_t number) {
    return number >= static_cast<std::uint64_t>(least) &&
           number <= static_cast<std::uint64_t>(most);
  };
  if (!value->is_number_unsigned() || !fits(value->get<std::uint64_t>())) {
    fail(name,
         fmt::format("expected a whole number from {} to {}, got {}", least, most, shown(*value)));
  }
  return value->get<std::int64_t>();
}

std::int64_t JsonObject::size(Keys keys, std::int64_t most, std::int64_t absent) const {
  const std::int64_t value = integer(keys, 1, most, absent);
  if (value == 0) fail("", fmt::format("missing key {}", fmt::join(keys, " or ")));
  return value;
}

std::int64_t JsonObject::whole_or(Keys keys, std::int64_t most, std::int64_t absent) const {
  return integer(keys, 0, most, absent);
}

double JsonObject::positive_or(Keys keys, double absent) const {
  std::string_view name;
  const nlohmann::json* const value = find(keys, name);
  if (value == nullptr) return absent;
  if (!value->is_number() || value->get<double>() <= 0) {
    fail(name, fmt::format("expected a number above 0, got {}", shown(*value)));
  }
  return value->get<double>();
}

bool JsonObject::boolean_or(std::string_view key, bool absent) const {
  std::string_view name;
  const nlohmann::json* const value = find({key}, name);
  if (value == nullptr) return absent;
  if (!value->is_boolean()) fail(key, fmt::format("expected true or false, got {}", shown(*value)));
  return value->get<bool>();
}

std::string JsonObject::text_or(Keys keys, const std::string& absent) const {
  std::string_view name;
  const nlohmann::json* const value = find(keys, name);
  if (value == nullptr) return absent;
  if (!value->is_string()) fail(name, fmt::format("expected text, got {}", shown(*value)));
  return value->get<std::string>();
}

void JsonObject::fail(std::string_view key, std::string_view message) const {
  throw InputError(place_at(path_, *content_, offset_of(key)), key, message);
}

}  // namespace ithaca
