#include "reports/markdown.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

std::string table_text(const DocumentTable& table) {
  TextTable text(table.columns);
  for (const std::vector<std::string>& row : table.rows) text.add(row);
  const std::string caption = table.caption.empty() ? "" : fmt::format("**{}**\n\n", table.caption);
  return fmt::format("{}{}\n", caption, text.markdown());
}

std::string section_text(const Section& section, const std::vector<std::string>& pictures) {
  std::string text = fmt::format("## {}\n\n", section.title);
  for (const std::string& paragraph : section.paragraphs) text += paragraph + "\n\n";
  for (const Figure& figure : section.figures)
    if (std::ranges::find(pictures, figure.name) != pictures.end())
      text += fmt::format("![{}]({}.png)\n\n{}\n\n", section.title, figure.name, figure.caption);
  for (const DocumentTable& table : section.tables) text += table_text(table);
  for (const std::string& note : section.notes) text += fmt::format("- {}\n", note);
  if (!section.notes.empty()) text += '\n';
  if (!section.data.empty()) text += fmt::format("Data: [{}]({})\n\n", section.data, section.data);
  return text;
}

}  // namespace

std::string to_markdown(const Document& document, const std::vector<std::string>& pictures) {
  std::string text = fmt::format("# {}\n\n**{}**\n\n", document.title, document.headline);
  for (const auto& [key, value] : document.asked) text += fmt::format("- {}: {}\n", key, value);
  text += '\n';
  for (const Section& section : document.sections) text += section_text(section, pictures);
  return text;
}

}  // namespace ithaca
