// models/json_object.h -- reading foreign JSON with the place of every fault.
//
// The parser keeps no positions, so a key's place is found again in the text: exact for the flat
// objects read here. Foreign files carry many keys of no interest: unknown keys are fine, and null
// counts as absent.
#pragma once

#include "models/error.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace ithaca {

/// One key under its several names; the first that is present counts.
using Keys = std::initializer_list<std::string_view>;

/// One object of a JSON file.  Every function throws InputError with the place of the key.
class JsonObject {
 public:
  static JsonObject file(const std::string& path);

  bool has(std::string_view key) const;                          ///< present and not null
  std::optional<JsonObject> object(std::string_view key) const;  ///< nothing when absent
  const nlohmann::json* list(std::string_view key) const;        ///< null when absent

  /// A whole number from 1 to `most`; without such a key `absent`, and an error when that is 0.
  std::int64_t size(Keys keys, std::int64_t most, std::int64_t absent = 0) const;
  std::int64_t whole_or(Keys keys, std::int64_t most, std::int64_t absent) const;  ///< from 0
  double positive_or(Keys keys, double absent) const;
  bool boolean_or(std::string_view key, bool absent) const;
  std::string text_or(Keys keys, const std::string& absent) const;

  [[noreturn]] void fail(std::string_view key, std::string_view message) const;
  const std::string& path() const { return path_; }

 private:
  JsonObject(nlohmann::json value, std::string path, std::shared_ptr<const std::string> content,
             std::size_t start);
  std::int64_t integer(Keys keys, std::int64_t least, std::int64_t most, std::int64_t absent) const;
  const nlohmann::json* find(Keys keys, std::string_view& name) const;
  std::size_t offset_of(std::string_view key) const;

  nlohmann::json value_;
  std::string path_;
  std::shared_ptr<const std::string> content_;
  std::size_t start_;  // offset of the object in the content
};

}  // namespace ithaca
