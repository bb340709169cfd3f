#include "reports/html.h"

#include <array>
#include <fmt/format.h>
#include <string_view>

namespace ithaca {
namespace {

constexpr std::string_view style = R"css(
:root { color-scheme: light dark; --ink: #1b1b1f; --muted: #6a6a72; --faint: #d4d4da; --paper: #ffffff; --area: #f5f5f7; --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e9ee; --muted: #a2a2ac; --faint: #3c3c44; --paper: #17171a; --area: #222227; --accent: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .8rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--faint); }
.headline { font-size: 1.15rem; padding: .9rem 1.1rem; background: var(--area); border-left: 4px solid var(--accent); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .5rem 1.2rem; margin: 1.2rem 0; }
dt { color: var(--muted); font-size: .8rem; }
dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; }
.wide { overflow-x: auto; -webkit-overflow-scrolling: touch; }
.wide svg { display: block; width: 100%; min-width: 38rem; height: auto; }
figcaption, .data { color: var(--muted); font-size: .88rem; }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums; margin: .4rem 0 1.2rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .28rem .7rem .28rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--faint); }
th { color: var(--muted); font-weight: 500; white-space: nowrap; }
.right { text-align: right; white-space: nowrap; }
.good { color: #009e73; } .bad { color: #d55e00; font-weight: 700; }
.badge { display: inline-block; padding: .05rem .55rem; border-radius: 1rem; color: #fff; font-weight: 600; font-size: .88rem; }
.badge.good { background: #00795a; color: #fff; } .badge.bad { background: #b94a00; color: #fff; }
li { margin: .3rem 0; }
@media print { body { max-width: none; font-size: 10pt; padding: 0; } figure, tr { break-inside: avoid; } h2 { break-after: avoid; } .wide { overflow: visible; } .wide svg { min-width: 0; } table { font-size: 7.5pt; } }
)css";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string escaped(std::string text) {
  text = replaced(std::move(text), "&", "&amp;");
  text = replaced(std::move(text), "<", "&lt;");
  text = replaced(std::move(text), ">", "&gt;");
  return replaced(std::move(text), "\"", "&quot;");
}

void cut(std::string& text, std::string_view from, std::string_view to) {
  const std::size_t first = text.find(from);
  const std::size_t last = first == std::string::npos ? first : text.find(to, first + from.size());
  if (last != std::string::npos) text.erase(first, last + to.size() - first);
}

/// The picture without what only a file of its own needs, in the colours of the page.
std::string inline_svg(std::string svg, std::string_view label) {
  svg.erase(0, std::min(svg.size(), svg.find("<svg")));
  cut(svg, "<metadata>", "</metadata>");
  for (const std::string_view space : {" xmlns=\"", " xmlns:xlink=\""}) cut(svg, space, "\"");
  const std::array<std::pair<std::string_view, std::string_view>, 3> colours{
      {{"#1b1b1f", "var(--ink)"}, {"#6a6a72", "var(--muted)"}, {"#d4d4da", "var(--faint)"}}};
  for (const auto& [colour, variable] : colours) svg = replaced(std::move(svg), colour, variable);
  if (svg.starts_with("<svg"))
    svg.insert(4, fmt::format(" role=\"img\" aria-label=\"{}\"", escaped(std::string(label))));
  return svg;
}

std::string cell_text(const std::string& cell) {
  if (cell == "equal") return "<span class=\"good\">✓ equal</span>";
  if (cell == "DIFFERENT") return "<span class=\"bad\">✗ different</span>";
  return escaped(cell);
}

std::string table_text(const DocumentTable& table) {
  std::string text = "<div class=\"wide\"><table>";
  if (!table.caption.empty()) text += fmt::format("<caption>{}</caption>", escaped(table.caption));
  text += "<thead><tr>";
  const auto side = [&](std::size_t c) {
    return table.columns[c].align == Align::right ? " class=\"right\"" : "";
  };
  for (std::size_t c = 0; c < table.columns.size(); ++c)
    text += fmt::format("<th{}>{}</th>", side(c), escaped(table.columns[c].header));
  text += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    text += "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c)
      text += fmt::format("<td{}>{}</td>", side(c), cell_text(row[c]));
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

std::string paragraph_text(const std::string& paragraph) {
  for (const auto& [start, kind] :
       {std::pair<std::string_view, std::string_view>{"✓ Verified", "good"},
        {"✗ NOT verified", "bad"}})
    if (paragraph.starts_with(start))
      return fmt::format("<p><span class=\"badge {}\">{}</span>{}</p>\n", kind, start,
                         escaped(paragraph.substr(start.size())));
  return fmt::format("<p>{}</p>\n", escaped(paragraph));
}

std::string section_text(const Section& section,
                         const std::map<std::string, std::string>& pictures) {
  std::string text = fmt::format("<section>\n<h2>{}</h2>\n", escaped(section.title));
  for (const std::string& paragraph : section.paragraphs) text += paragraph_text(paragraph);
  for (const Figure& figure : section.figures)
    if (const auto it = pictures.find(figure.name); it != pictures.end())
      text += fmt::format(
          "<figure><div class=\"wide\">\n{}</div><figcaption>{}</figcaption></figure>\n",
          inline_svg(it->second, section.title), escaped(figure.caption));
  for (const DocumentTable& table : section.tables) text += table_text(table);
  if (!section.notes.empty()) text += "<ul>\n";
  for (const std::string& note : section.notes) text += fmt::format("<li>{}</li>\n", escaped(note));
  if (!section.notes.empty()) text += "</ul>\n";
  if (!section.data.empty())
    text += fmt::format("<p class=\"data\">Data: <a href=\"{0}\">{0}</a></p>\n", section.data);
  return text + "</section>\n";
}

}  // namespace

std::string to_html(const Document& document, const std::map<std::string, std::string>& pictures) {
  std::string text = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>{0}</title>\n"
      "<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n<p class=\"headline\">{2}</p>\n",
      escaped(document.title), style, escaped(document.headline));
  if (!document.asked.empty()) text += "<dl>\n";
  for (const auto& [key, value] : document.asked)
    text += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(key), escaped(value));
  if (!document.asked.empty()) text += "</dl>\n";
  for (const Section& section : document.sections) text += section_text(section, pictures);
  return text + "</body>\n</html>\n";
}

}  // namespace ithaca
