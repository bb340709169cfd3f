// reports/time_accuracy_text.h -- reports/time_accuracy.h for people and for programs.
#pragma once

#include "reports/document.h"
#include "reports/json.h"
#include "reports/time_accuracy.h"

#include <string>
#include <vector>

namespace ithaca {

/// Statistics of each source and of all, for a terminal.
std::string time_summary(const TimeAccuracy&);
/// Statistics, order inside groups, every predicted row and every row that is not modelled, with its reason.
std::vector<Section> time_sections(const TimeAccuracy&);
/// One line a prediction or a row that is not modelled.
std::string time_csv(const TimeAccuracy&);
/// Adds "time" and "order" to overall and to each source, the groups, rows in seconds, rows that are not modelled.
void add_time(Json&, const TimeAccuracy&);

}  // namespace ithaca
