// reports/accuracy_text.h -- what the texts of accuracies share.
#pragma once

#include "reports/accuracy.h"
#include "reports/document.h"
#include "reports/json.h"

#include <string>
#include <vector>

namespace ithaca {

std::string percent(double fraction);         ///< "6.3 %"
std::string signed_percent(double fraction);  ///< "+6.3 %"
/// "3 of 4"; empty of none.
std::string right_of(std::size_t right, std::size_t all);

/// Columns rows, median, p90, max and bias, and their cells.
std::vector<TextTable::Column> with_statistics(std::vector<TextTable::Column> first);
std::vector<std::string> with_statistics(std::vector<std::string> first, const ErrorStatistics&);
/// {"rows", "median", "p90", "max", "bias"}
Json statistics_json(const ErrorStatistics&);

/// Rows by source and reason; every row.
TextTable unmodelled_counts(const std::vector<UnmodelledRow>&);
TextTable unmodelled_rows(const std::vector<UnmodelledRow>&);
/// {"id", "source", "what", "reason"} each
void add_unmodelled(Json& array, const std::vector<UnmodelledRow>&, const char* what);

/// A section that is one table.
Section section(std::string title, const TextTable&, std::string paragraph = "");

}  // namespace ithaca
