#include "sim/topology/xml.h"

#include "models/nearest.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ithaca {
namespace {

template <class Number>
std::optional<Number> parsed(std::string_view text) {
  Number value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Place Xml::Document::place(std::size_t offset) const {
  const std::string_view before = std::string_view(content).substr(0, offset);
  const std::size_t line_end = before.rfind('\n');
  const std::size_t column = line_end == std::string_view::npos ? offset : offset - line_end - 1;
  return {name, static_cast<int>(std::ranges::count(before, '\n')) + 1,
          static_cast<int>(column) + 1};
}

Place Xml::Document::place(const char* at) const {
  return place(static_cast<std::size_t>(at - buffer.data()));
}

Xml Xml::parse(const std::string& content, const std::string& name, std::string_view root) {
  if (content.find_first_not_of(" \t\r\n") == std::string::npos)
    throw InputError({name}, "", fmt::format("expected XML with a <{}>, got an empty file", root));
  const auto document = std::make_shared<Document>();
  document->name = name;
  document->content = document->buffer = content;
  const pugi::xml_parse_result result = document->tree.load_buffer_inplace(
      document->buffer.data(), document->buffer.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!result)
    throw InputError(
        document->place(std::min(static_cast<std::size_t>(result.offset), content.size())), "",
        fmt::format("expected well-formed XML, got: {}", one_line(result.description())));
  const Xml element(document, document->tree.document_element());
  if (element.tag() != root)
    element.fail(fmt::format("expected <{}> as the root, got <{}>", root, element.tag()));
  if (const pugi::xml_node second = element.node_.next_sibling(); !second.empty())
    Xml(document, second).fail(fmt::format("expected one root, got another <{}>", second.name()));
  return element;
}

std::vector<Xml> Xml::children(std::initializer_list<std::string_view> tags) const {
  const std::vector<std::string> known(tags.begin(), tags.end());
  std::vector<Xml> found;
  for (const pugi::xml_node& child : node_.children()) {
    const Xml element(document_, child);
    if (child.type() != pugi::node_element)
      fail(fmt::format("expected only elements inside, got {}", in_quotes(child.value())));
    if (std::ranges::find(known, element.tag()) == known.end()) {
      const std::string hint = did_you_mean(element.tag(), known);
      element.fail(fmt::format("expected <{}> inside <{}>, got <{}>{}", fmt::join(known, "> or <"),
                               tag(), one_line(element.tag()), hint));
    }
    found.push_back(element);
  }
  return found;
}

std::string Xml::key(const char* attribute) const {
  return fmt::format("{}.{}", tag(), attribute);
}

std::string Xml::text(const char* attribute) const {
  const pugi::xml_attribute found = node_.attribute(attribute);
  if (found.empty()) fail(fmt::format("expected the attribute {}, got none", attribute));
  if (*found.value() == '\0') fail(attribute, "expected text, got \"\"");
  return found.value();
}

std::int64_t Xml::integer(const char* attribute, std::int64_t least, std::int64_t most) const {
  const std::string value = text(attribute);
  const std::optional<std::int64_t> number = parsed<std::int64_t>(value);
  if (!number || *number < least || *number > most)
    fail(attribute, fmt::format("expected a whole number from {} to {}, got {}", least, most,
                                in_quotes(value)));
  return *number;
}

double Xml::positive(const char* attribute) const {
  const std::string value = text(attribute);
  const std::optional<double> number = parsed<double>(value);
  if (!number || !std::isfinite(*number) || *number <= 0)
    fail(attribute, fmt::format("expected a number above 0, got {}", in_quotes(value)));
  return *number;
}

std::string Xml::one_of(const char* attribute, const std::vector<std::string>& words) const {
  std::string value = text(attribute);
  if (std::ranges::find(words, value) != words.end()) return value;
  const std::string hint = did_you_mean(value, words);
  fail(attribute,
       fmt::format("expected one of {}, got {}{}", fmt::join(words, ", "), in_quotes(value), hint));
}

void Xml::fail(std::string_view message) const {
  throw InputError(document_->place(node_.name()), tag(), message);
}

void Xml::fail(const char* attribute, std::string_view message) const {
  const pugi::xml_attribute found = node_.attribute(attribute);
  throw InputError(document_->place(found.name()), key(attribute), message);
}

}  // namespace ithaca
