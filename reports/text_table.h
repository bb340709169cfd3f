// reports/text_table.h -- one table of strings, printed for a terminal, for Markdown or as CSV.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

enum class Align : std::uint8_t { left, right };

class TextTable {
 public:
  struct Column {
    std::string header;
    Align align = Align::left;
  };

  explicit TextTable(std::vector<Column> columns);

  /// One cell per column; missing cells are empty.  More cells than columns are our bug.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }

  /// Aligned columns two spaces apart under a ruled header, every line indented, without trailing
  /// spaces.
  std::string text(std::size_t indent = 0) const;
  std::string markdown() const;
  /// RFC 4180: fields with a comma, quote or line break are quoted.
  std::string csv() const;

 private:
  std::vector<std::size_t> widths() const;
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Characters of UTF-8 text, each taken as one column wide.
std::size_t display_width(std::string_view text);
/// Words of `text` on lines of at most `width`, lines after the first indented.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace ithaca
