// models/yaml.h -- the strict reader used for every YAML file of the project.
//
// Nothing is silent: unknown and duplicate keys, numbers without a unit, wrong kinds and second
// documents are InputErrors with file, line, column and the dotted key.  yaml-cpp alone accepts all
// of these.
//
//     const Yaml root = Yaml::file("x.yaml");
//     root.allow({"name", "links"});
//     const double bandwidth = root.at("links").at("bandwidth").bandwidth_bytes_per_s();
#pragma once

#include "models/error.h"

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

/// The bytes of a file.  Throws InputError naming the file when it cannot be read.
std::string read_file(const std::string& path);

/// One node and where it stands.  Cheap to copy.  Every function throws InputError at this node's
/// place.
class Yaml {
 public:
  static Yaml file(const std::string& path);
  /// `name` stands for the file in messages.
  static Yaml parse(const std::string& content, const std::string& name);

  /// Refuses a map that has a key outside the list, with the nearest one as hint.
  void allow(std::initializer_list<std::string_view> keys) const;

  Yaml at(std::string_view key) const;                   ///< required
  std::optional<Yaml> find(std::string_view key) const;  ///< nothing when the key is absent
  std::vector<std::string> keys() const;                 ///< of a map, in the order of the file
  std::vector<Yaml> items() const;                       ///< of a list
  bool is_map() const { return node_.IsMap(); }
  bool is_list() const { return node_.IsSequence(); }
  bool is_blank() const;  ///< null or the empty text

  std::string text() const;  ///< not empty
  std::int64_t integer() const;
  std::int64_t integer(std::int64_t least, std::int64_t most) const;
  double number() const;  ///< finite
  double positive()
      const;  ///< finite and above 0; for numbers without dimension or with the unit in the key
  bool boolean() const;  ///< true or false
  std::string one_of(std::initializer_list<std::string_view> words) const;

  // With units, see models/units.h.
  std::int64_t bytes() const;  ///< "80 GiB", "81920 MiB", "512 MB"; rounded to whole bytes
  double bandwidth_bytes_per_s() const;  ///< "450 GB/s", or bits: "400 Gb/s"
  double seconds() const;                ///< "5 us"; 0 is fine
  double flops_per_s() const;            ///< "312 TFLOP/s"

  Place place() const;
  const std::string& key() const {
    return key_;
  }  ///< dotted, such as links.intra.bandwidth or ranks[2]
  [[noreturn]] void fail(std::string_view message) const;

 private:
  Yaml(const YAML::Node& node, std::string file, std::string key, const YAML::Mark& mark);
  Yaml child(const YAML::Node& node, std::string key, const YAML::Mark& mark) const;
  void require_map() const;
  void refuse_duplicates() const;
  [[noreturn]] void expected(std::string_view what) const;
  std::string scalar(std::string_view what) const;

  YAML::Node node_;
  std::string file_;
  std::string key_;
  YAML::Mark mark_;  // of the key when the value is empty and has no place of its own
};

}  // namespace ithaca
