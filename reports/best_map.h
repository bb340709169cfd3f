// reports/best_map.h -- which strategy wins at each sequence length and number of GPUs.
//
// Every cell is a whole plan() of the job at that length and number.
#pragma once

#include "planner/plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

enum class CellState : std::uint8_t { fits, out_of_memory, impossible };
const char* name_of(CellState);

struct BestCell {
  int gpus = 1;
  std::int64_t seq = 0;  ///< tokens of a sample
  CellState state = CellState::impossible;
  Ranked best;         ///< when something fits
  std::string reason;  ///< of the first infeasible choice, when nothing fits
};

/// `seq` doubled and halved between 8192 and 2097152, and `seq` itself; ascending.  Odd numbers are
/// not halved.
std::vector<std::int64_t> lengths_around(std::int64_t seq);

/// Powers of two up to 64 GPUs, and those of the job, at all lengths_around() its own, as long as
/// the choices to be priced stay within `candidates`; the job's own number always.
/// Sorted by GPUs, then length.  Takes about 0.3 ms per candidate and core.
std::vector<BestCell> best_map(const Job& job, std::size_t candidates);

/// Which ways of splitting attention a choice joins: "TP", "ring", "Ulysses", "ring + Ulysses",
/// "with TP", "data".  Gathered keys count as a ring, whose place they take.
std::string family_of(const Choice&);
/// The same with degrees, one term each: "ring 2", "Ulysses 4", "TP-SP 2", "MLP TP-SP".
std::vector<std::string> terms_of(const Choice&);

}  // namespace ithaca
