// reports/time_accuracy_text.h -- reports/time_accuracy.h for people and for programs.
#pragma once

#include "reports/json.h"
#include "reports/time_accuracy.h"

#include <string>

namespace ithaca {

/// Statistics of each source and of all, for a terminal.
std::string time_summary(const TimeAccuracy&);
/// Statistics, order inside groups, every predicted row and every row that is not modelled, with its reason.
std::string time_markdown(const TimeAccuracy&);
/// One line a prediction or a row that is not modelled.
std::string time_csv(const TimeAccuracy&);
/// Adds to the object of memory_json(): "time" of overall and of each source, "groups", rows in seconds, rows that are
/// not modelled.
void add_time(Json&, const TimeAccuracy&);

}  // namespace ithaca
