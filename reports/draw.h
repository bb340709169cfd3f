// reports/draw.h -- runs figures.py with an interpreter that has matplotlib.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace ithaca {

struct Drawing {
  std::map<std::string, std::string>
      pictures;         ///< SVG text by name; the files lie in the directory
  std::string problem;  ///< why there are none, one sentence; empty when they were drawn
};

/// Draws report.json of `directory` into it.  Tries $ITHACA_PYTHON, python3 on PATH and
/// /usr/bin/python3; a report without pictures is still a report, so nothing is thrown.
Drawing draw_figures(const std::string& directory);

/// Why pictures cannot be drawn here, one sentence; empty when they can.
std::string why_no_pictures();

/// Draws the losses of a loss.csv as `picture`, *.svg or *.png.  Throws EnvironmentError.
void draw_losses(const std::string& csv, const std::string& picture);

/// Draws predicted over measured times of accuracy.csv of `directory` into it, as draw_figures() does.
Drawing draw_accuracy(const std::string& directory);

/// Exit status of a command found on PATH, 127 when it cannot be started; both its outputs go to
/// the file `log`.
int run_command(const std::vector<std::string>& command, const std::string& log);

}  // namespace ithaca
