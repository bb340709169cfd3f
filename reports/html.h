// reports/html.h -- a report as one HTML file that loads nothing: style and pictures stand in it.
//
// Readable on a phone (tables and pictures scroll sideways), on paper and in dark rooms: the three
// neutral colours of the pictures (reports/figures.py) follow the theme, the others serve both.
#pragma once

#include "reports/document.h"

#include <map>

namespace ithaca {

/// `pictures`: SVG files as figures.py wrote them, by figure name; figures without one are left
/// out.
std::string to_html(const Document&, const std::map<std::string, std::string>& pictures);

}  // namespace ithaca
