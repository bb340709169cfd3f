// reports/causes.h -- why published rows are predicted far off, as reports/causes.yaml has it.
#pragma once

#include "reports/time_accuracy.h"

#include <string>
#include <vector>

namespace ithaca {

/// Nine of ten rows should be nearer; one beyond wants a cause.
constexpr double far_off = 0.18;

struct ErrorCause {
  std::vector<std::string> rows;  ///< how their ids begin
  std::string text;
};

/// InputError when the file is wrong in any way.
std::vector<ErrorCause> read_causes(const std::string& path);
/// Those this project ships; none where there is no such file.
std::vector<ErrorCause> shipped_causes();
/// Of the first that names the row; "not known" when none does.
std::string cause_of(const std::vector<ErrorCause>&, const std::string& row);

/// Predictions that count and are further off than `far_off`, the furthest first.
std::vector<TimePrediction> far_off_rows(const TimeAccuracy&);

}  // namespace ithaca
