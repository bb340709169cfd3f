// reports/accuracy_page.h -- reports/published_accuracy.h for people and for programs.
#pragma once

#include "reports/document.h"
#include "reports/json.h"
#include "reports/published_accuracy.h"

#include <string>
#include <utility>
#include <vector>

namespace ithaca {

/// Statistics of all parts that have any, for a terminal.
std::string accuracy_summary(const PublishedAccuracy&);
/// {"schema", "overall", "sources", "groups", "rows", "unmodelled"}; errors as fractions.
Json accuracy_json(const PublishedAccuracy&);
/// All parts on one page.
Document accuracy_document(const PublishedAccuracy&);
/// accuracy.md of time, accuracy_memory.md, accuracy_collectives.md and accuracy_kernels.md, those without data left out.
std::vector<std::pair<std::string, Document>> accuracy_documents(const PublishedAccuracy&);

}  // namespace ithaca
