#include "reports/text_table.h"

#include "models/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace ithaca {
namespace {

std::string padded(const std::string& cell, std::size_t width, Align align) {
  const std::string space(width - std::min(width, display_width(cell)), ' ');
  return align == Align::left ? cell + space : space + cell;
}

void trim_right(std::string& line) {
  line.erase(line.find_last_not_of(' ') + 1);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string csv_field(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  return fmt::format("\"{}\"", replaced(cell, "\"", "\"\""));
}

}  // namespace

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

void TextTable::add(std::vector<std::string> cells) {
  require(cells.size() <= columns_.size(), "more cells than columns");
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> TextTable::widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = display_width(columns_[c].header);
    for (const auto& row : rows_) width = std::max(width, display_width(row[c]));
    widths.push_back(width);
  }
  return widths;
}

std::string TextTable::text(std::size_t indent) const {
  const std::vector<std::size_t> width = widths();
  std::string out;
  const auto line = [&](auto&& cell) {
    std::string text(indent, ' ');
    for (std::size_t c = 0; c < columns_.size(); ++c)
      text += (c == 0 ? "" : "  ") + padded(cell(c), width[c], columns_[c].align);
    trim_right(text);
    out += text + '\n';
  };
  line([&](std::size_t c) { return columns_[c].header; });
  line([&](std::size_t c) { return std::string(width[c], '-'); });
  for (const auto& row : rows_) line([&](std::size_t c) { return row[c]; });
  return out;
}

std::string TextTable::markdown() const {
  std::string out;
  const auto line = [&](auto&& cell) {
    out += '|';
    for (std::size_t c = 0; c < columns_.size(); ++c)
      out += fmt::format(" {} |", replaced(cell(c), "|", "\\|"));
    out += '\n';
  };
  line([&](std::size_t c) { return columns_[c].header; });
  out += '|';
  for (const Column& column : columns_) out += column.align == Align::right ? "---:|" : "---|";
  out += '\n';
  for (const auto& row : rows_) line([&](std::size_t c) { return row[c]; });
  return out;
}

std::string TextTable::csv() const {
  std::string out;
  const auto line = [&](auto&& cell) {
    for (std::size_t c = 0; c < columns_.size(); ++c)
      out += (c == 0 ? "" : ",") + csv_field(cell(c));
    out += "\r\n";
  };
  line([&](std::size_t c) { return columns_[c].header; });
  for (const auto& row : rows_) line([&](std::size_t c) { return row[c]; });
  return out;
}

std::size_t display_width(std::string_view text) {
  constexpr auto starts_character = [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  };
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_character));
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    const std::size_t size = display_width(word);
    if (column > 0 && column + 1 + size > width) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += size;
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return out;
}

}  // namespace ithaca
