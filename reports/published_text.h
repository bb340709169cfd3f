// reports/published_text.h -- the judged entries of the published tables, for reading.
#pragma once

#include "reports/strategy_table.h"
#include "reports/text_table.h"

#include <string>

namespace ithaca {

struct VerdictTally {
  int right = 0, all = 0;
};
VerdictTally tally(const StrategyTable&);

/// Both tables side by side, one block a strategy; marks such as "wrong (5)" are explained below.
std::string published_grid(const StrategyTable&);
/// One line an entry, with its reason.
TextTable published_list(const StrategyTable&);

}  // namespace ithaca
