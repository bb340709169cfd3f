// reports/markdown.h -- a report for pull requests and terminals.
#pragma once

#include "reports/document.h"

namespace ithaca {

/// `pictures`: names of the figures that were drawn; others are left out.
std::string to_markdown(const Document&, const std::vector<std::string>& pictures);

}  // namespace ithaca
