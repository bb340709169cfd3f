// reports/memory_accuracy_text.h -- reports/memory_accuracy.h for people and for programs.
#pragma once

#include "reports/document.h"
#include "reports/json.h"
#include "reports/memory_accuracy.h"

#include <string>
#include <vector>

namespace ithaca {

/// Statistics of each source and of all, for a terminal.
std::string memory_summary(const MemoryAccuracy&);
/// Statistics, every predicted row, every decision and every row that is not modelled, with its reason.
std::vector<Section> memory_sections(const MemoryAccuracy&);
/// One line a prediction, a decision or a row that is not modelled.
std::string memory_csv(const MemoryAccuracy&);
/// Adds statistics by what is predicted to overall and to each source, rows, and rows that are not modelled; memory in
/// GiB, lengths in tokens, "decision" 1 for ran and 0 for out of memory.
void add_memory(Json&, const MemoryAccuracy&);

}  // namespace ithaca
