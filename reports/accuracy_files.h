// reports/accuracy_files.h -- the files that `ithaca validate -o DIR` writes.
#pragma once

#include "reports/published_accuracy.h"

#include <string>

namespace ithaca {

/// accuracy.html, accuracy.csv, accuracy_memory.csv, accuracy.svg and .png, error_bands.yaml, one *.md for each part, and
/// odysseus.md and claims.md where the rows they speak of are there; all appear together.  Returns why there are no
/// pictures, one sentence; empty when there are.  Throws InputError when `folder` is a file, EnvironmentError when it
/// cannot be written.
std::string write_accuracy(const PublishedAccuracy&, const std::string& folder);

}  // namespace ithaca
