#include "reports/accuracy_text.h"

#include <fmt/format.h>
#include <map>

namespace ithaca {

std::string percent(double fraction) {
  return fmt::format("{:.1f} %", 100 * fraction);
}
std::string signed_percent(double fraction) {
  return fmt::format("{:+.1f} %", 100 * fraction);
}
std::string right_of(std::size_t right, std::size_t all) {
  return all == 0 ? "" : fmt::format("{} of {}", right, all);
}

std::vector<TextTable::Column> with_statistics(std::vector<TextTable::Column> first) {
  for (const char* const name : {"rows", "median", "p90", "max", "bias"})
    first.push_back({name, Align::right});
  return first;
}
std::vector<std::string> with_statistics(std::vector<std::string> first, const ErrorStatistics& s) {
  for (std::string& cell : std::vector{std::to_string(s.rows), percent(s.median), percent(s.p90),
                                       percent(s.max), signed_percent(s.bias)})
    first.push_back(std::move(cell));
  return first;
}
Json statistics_json(const ErrorStatistics& s) {
  return {{"rows", s.rows}, {"median", s.median}, {"p90", s.p90}, {"max", s.max}, {"bias", s.bias}};
}

TextTable unmodelled_counts(const std::vector<UnmodelledRow>& rows) {
  std::map<std::pair<std::string, std::string>, int> counts;
  for (const UnmodelledRow& row : rows) ++counts[{row.source, row.reason}];
  TextTable table({{"source", Align::left}, {"rows", Align::right}, {"not modelled", Align::left}});
  for (const auto& [key, number] : counts)
    table.add({key.first, std::to_string(number), key.second});
  return table;
}
TextTable unmodelled_rows(const std::vector<UnmodelledRow>& rows) {
  TextTable table({{"row", Align::left}, {"source", Align::left}, {"reason", Align::left}});
  for (const UnmodelledRow& row : rows) table.add({row.id, row.source, row.reason});
  return table;
}
void add_unmodelled(Json& array, const std::vector<UnmodelledRow>& rows, const char* what) {
  for (const UnmodelledRow& row : rows)
    array.push_back(
        {{"id", row.id}, {"source", row.source}, {"what", what}, {"reason", row.reason}});
}

Section section(std::string title, const TextTable& table, std::string paragraph) {
  Section s{std::move(title), {}, {}, {{"", table.columns(), table.rows()}}, {}, ""};
  if (!paragraph.empty()) s.paragraphs.push_back(std::move(paragraph));
  return s;
}

}  // namespace ithaca
