// reports/render_table.h -- the strategy table for a terminal, for Markdown, as CSV and as JSON.
#pragma once

#include "reports/strategy_table.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ithaca {

/// At most 120 columns; echoes the integers taken.
std::string table_text(const StrategyTable&);
std::string table_markdown(const StrategyTable&);
/// One line per strategy, integers only.
std::string table_csv(const StrategyTable&);
/// Schema "ithaca/1".
nlohmann::ordered_json table_json(const StrategyTable&);

}  // namespace ithaca
