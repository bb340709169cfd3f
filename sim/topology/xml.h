// sim/topology/xml.h -- XML with the place of every element and attribute, for one-line errors.
//
// pugixml, because it tells where things stand; Boost.PropertyTree keeps no places.
#pragma once

#include "models/error.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

/// An element.  Cheap to copy.  Every function throws InputError at its place.
class Xml {
 public:
  /// The one root element, which must be called `root`.  `name` stands for the file in messages.
  static Xml parse(const std::string& content, const std::string& name, std::string_view root);

  std::string_view tag() const { return node_.name(); }
  /// The elements inside, each with one of these names.
  std::vector<Xml> children(std::initializer_list<std::string_view> tags) const;

  bool has(const char* attribute) const { return !node_.attribute(attribute).empty(); }
  std::string text(const char* attribute) const;  ///< required, not empty
  std::int64_t integer(const char* attribute, std::int64_t least, std::int64_t most) const;
  double positive(const char* attribute) const;
  std::string one_of(const char* attribute, const std::vector<std::string>& words) const;

  /// At the element, or at one of its attributes.
  [[noreturn]] void fail(std::string_view message) const;
  [[noreturn]] void fail(const char* attribute, std::string_view message) const;

 private:
  struct Document {
    std::string name, content, buffer;  ///< the buffer is parsed in place
    pugi::xml_document tree;
    Place place(const char* at) const;
    Place place(std::size_t offset) const;
  };
  Xml(std::shared_ptr<const Document> document, pugi::xml_node node)
      : document_(std::move(document)), node_(node) {}
  std::string key(const char* attribute) const;

  std::shared_ptr<const Document> document_;
  pugi::xml_node node_;
};

}  // namespace ithaca
