// reports/memory_accuracy_text.h -- reports/memory_accuracy.h for people and for programs.
#pragma once

#include "reports/json.h"
#include "reports/memory_accuracy.h"

#include <string>

namespace ithaca {

/// Statistics of each source and of all, for a terminal.
std::string memory_summary(const MemoryAccuracy&);
/// Statistics, every predicted row, every decision and every row that is not modelled, with its reason.
std::string memory_markdown(const MemoryAccuracy&);
/// One line a prediction, a decision or a row that is not modelled.
std::string memory_csv(const MemoryAccuracy&);
/// {"schema", "overall", "sources", "rows", "unmodelled"}; errors as fractions, memory in GiB, lengths in tokens.
Json memory_json(const MemoryAccuracy&);

}  // namespace ithaca
