#include "reports/strategy_table.h"

#include "models/catalog.h"
#include "models/error.h"

#include <fmt/format.h>

namespace ithaca {
namespace {

void demand(std::int64_t value, const char* flag, const char* what) {
  if (value < 1) throw InputError(flag, fmt::format("expected at least 1 {}, got {}", what, value));
}

LayerOptions options_of(const TableRequest& request) {
  LayerOptions options;
  options.kernels = request.profile.kernels;
  options.reduction = request.profile.reduction;
  return options;
}

void fill(TableRow& row, const TableRequest& request, const Layer& alone) {
  const LayerShape& shape = request.shape;
  const Mesh mesh = default_mesh(row.strategy, request.degree, shape, request.ulysses);
  const Arrangement at = arrange(row.strategy, mesh, shape);
  const Strategy strategy = with_profile(at.strategy, request.profile);
  const StepOptions options{.layer = options_of(request)};
  const Layer layer = layer_program(shape, strategy, at.mesh, options.layer);
  row.mesh = at.mesh;
  row.degrees = degrees_of(at);
  row.count = count(layer.program, request.degree - 1);
  row.update = count(settle_program(layer), request.degree - 1);
  row.facts = facts_of(layer, row.count, alone);
  row.closed_form = closed_form(row.strategy, shape, row.degrees);
  const MicroBatch micro = micro_batch({{{shape, strategy, request.layers}}}, at.mesh, options);
  row.memory = step_memory(micro, update_program(micro.program, micro.parameters, {}));
  if (request.degree > 1)
    row.published = judgements(row.strategy, {shape, request.degree, row.facts, row.closed_form});
}

}  // namespace

StrategyTable strategy_table(const TableRequest& request) {
  demand(request.degree, "--gpus", "rank");
  demand(request.shape.b, "--batch", "sample");
  demand(request.shape.L, "--seq", "token");
  demand(request.layers, "--layers", "layer");
  StrategyTable table{request, {}, {}};
  const Layer alone = one_rank(request.shape, options_of(request));
  for (const std::string& strategy : published_strategies()) {
    TableRow& row = table.rows.emplace_back();
    row.strategy = strategy;
    row.degrees.all = request.degree;
    try {
      fill(row, request, alone);
    } catch (const InputError& error) {
      row.error = error.what();
    }
  }
  if (request.degree > 1) table.crossovers = crossovers(request.shape, request.degree);
  return table;
}

}  // namespace ithaca
