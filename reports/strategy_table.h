// reports/strategy_table.h -- every published strategy at one degree, exact and as published.
//
// Numbers are of one rank, one layer and one micro-batch, forward and backward, without the
// per-step update; they come from count() and step_memory() of the very program that run()
// executes.
#pragma once

#include "models/mesh.h"
#include "models/profile.h"
#include "reports/closed_forms.h"
#include "reports/crossover.h"
#include "reports/layer_facts.h"
#include "reports/verdict.h"
#include "sim/count.h"
#include "sim/step.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

struct TableRequest {
  std::string model;  ///< printed as it is
  LayerShape shape;
  int degree = 8;           ///< ranks of every strategy
  int ulysses = 0;          ///< ranks of the Ulysses axis of usp; 0: see default_mesh()
  std::int64_t layers = 1;  ///< for memory only
  Profile profile = profiles().front();
};

struct TableRow {
  std::string strategy;
  std::string
      error;  ///< why the strategy is impossible for the shape; only `degrees.all` holds then
  Degrees degrees;
  Mesh mesh;
  Count count;   ///< of the last rank: when causal none has more work
  Count update;  ///< of its weight gradients, once a step; in no sum of this row
  LayerFacts facts;
  ClosedForm closed_form;
  StepMemory memory;                 ///< of `layers` layers without ends, Adam in mixed precision
  std::vector<Judgement> published;  ///< none at degree 1, and none for strategies in neither table
};

struct StrategyTable {
  TableRequest request;
  std::vector<TableRow> rows;  ///< in the order of published_strategies()
  std::vector<Crossover> crossovers;
};

/// Throws InputError for a degree, batch or length below 1.
StrategyTable strategy_table(const TableRequest&);

}  // namespace ithaca
