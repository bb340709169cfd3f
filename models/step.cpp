#include "models/step.h"

#include "models/backward.h"
#include "models/error.h"
#include "models/layer_writer.h"
#include "models/passes/bucket.h"
#include "models/passes/chunk.h"
#include "models/passes/fetch.h"
#include "models/passes/offload.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace ithaca {
namespace {

using enum DimName;

class StepWriter {
 public:
  StepWriter(const StepShape& shape, const Mesh& mesh, const StepOptions& options)
      : n_(shape), o_(options), b_(mesh), w_(b_, options.layer, step_.parameters) {
    for (const LayerRun& run : shape.runs) {
      check_sizes(run.shape, mesh);
      runs_.push_back({run.shape, real(run.strategy, mesh), run.times});
    }
    const Strategy& last = runs_.back().strategy;
    const MlpTable& ends = last.ends ? *last.ends : last.mlp;
    lie_ = ends.in;
    row_ = ends.weights;
    for (Placement& p : row_.cut)
      if (p.dim == i) p.dim = v;
  }

  MicroBatch write() && {
    ValueId x = layers(n_.embeds() ? embedding() : stream());
    if (n_.scores()) x = b_.move(final_norm(x), lie_);
    const ValueId table = n_.scores() ? head_table() : no_value;
    const std::size_t end = b_.program().steps().size();
    const Seeds seeds = n_.scores() ? head(x, table) : leave(x);
    if (o_.layer.backward) differentiate_to(end, seeds);
    step_.program = std::move(b_).build();
    return std::move(step_);
  }

 private:
  /// The residual stream as another stage, or whoever runs layers alone, gives it.
  ValueId stream() {
    const Type lie =
        laid({o_.layer.dtype, {dim(b), dim(L), dim(d)}, {}, {}}, runs_.front().strategy.residual);
    return step_.x = b_.input("x", lie, Role::activation);
  }
  Seeds leave(ValueId y) {
    b_.output(step_.y = y);
    if (!o_.layer.backward) return {};
    return {{y, step_.dy = b_.input("dy", b_.type(y), Role::gradient)}};
  }

  const LayerShape& shape() const { return runs_.front().shape; }
  Dim dim(DimName name) const {
    return {name, name == b ? shape().b : name == L ? shape().L : name == d ? shape().d : padded()};
  }
  /// Entries of the table, padded where it is cut.
  std::int64_t padded() const {
    std::int64_t ways = 1;
    for (const Placement& p : row_.cut)
      if (p.dim == v) ways *= b_.program().mesh().ranks(p.cut.axis);
    const std::int64_t multiple = ways > 1 ? ways * o_.vocabulary_multiple : 1;
    return (n_.vocabulary + multiple - 1) / multiple * multiple;
  }
  ValueId matrix(const char* name) { return w_.matrix(name, {dim(v), dim(d)}, row_); }
  ValueId again(ValueId stored) {
    Type used = b_.type(stored);
    used.flat.clear();
    return b_.move(stored, used);
  }
  ValueId ids(const char* name) {
    return b_.input(name, laid({DType::i64, {dim(b), dim(L)}, {}, {}}, lie_), Role::activation);
  }

  ValueId embedding() {
    step_.tokens = ids("tokens");
    const ValueId table = matrix("embedding");
    tied_ = step_.parameters.back().stored;
    const ValueId x = b_.embed("x", step_.tokens, table);
    return b_.move(x, runs_.front().strategy.residual);
  }

  ValueId head_table() {
    if (!n_.tied) return matrix("head");
    return n_.embeds() ? again(tied_) : matrix("embedding");
  }

  ValueId layers(ValueId x) {
    int number = 0, copy = 0;
    for (const LayerRun& run : runs_) {
      const std::int64_t copies = o_.unrolled ? run.times : std::min<std::int64_t>(run.times, 3);
      for (std::int64_t c = 0; c < copies; ++c, ++copy) {
        const std::int64_t times = c == 1 && copies == 3 ? run.times - 2 : 1;
        b_.layer(copy, times);
        w_.begin(fmt::format("layers.{}.", number), copy, times);
        number += static_cast<int>(times);
        x = b_.move(x, run.strategy.residual);
        step_.layer_inputs.push_back(x);
        x = write_layer(b_, w_, x, {run.shape, run.strategy, o_.layer});
      }
    }
    b_.layer(-1, 1);
    w_.begin("");
    return x;
  }

  ValueId final_norm(ValueId x) {
    WeightRow row = row_;
    row.cut.clear();
    Ids in{x, w_.row("norm", {dim(d)}, row)};
    if (shape().norm == Norm::layer) in.push_back(w_.row("norm_shift", {dim(d)}, row));
    return b_.normalize("x", shape().norm, in);
  }

  /// Loss and, when there is a backward, the cotangents of x and of the table.
  Seeds head(ValueId x, ValueId table) {
    step_.labels = ids("labels");
    if (o_.layer.backward)
      step_.dloss = b_.input("dloss", {DType::f32, {}, {}, {}}, Role::gradient);
    const std::int64_t tokens = local_size(*b_.type(x).find(L), b_.program().mesh());
    const std::int64_t tiles = std::clamp<std::int64_t>(o_.loss_tiles, 1, tokens);
    Sums all{no_value, no_value, no_value};
    for (const Tile& tile : tiles_of(tokens, tiles, o_.unrolled)) {
      b_.tiles(tile.times);
      add_tile(all, x, table, {L, tile.begin, tile.count});
    }
    b_.layer(-1, 1);
    b_.phase(Phase::forward);
    b_.output(step_.loss = b_.move(all.loss, {DType::f32, {}, {}, {}}));
    if (!o_.layer.backward) return {};
    return {{x, all.dx}, {table, all.dtable}};
  }

  struct Sums {
    ValueId loss, dx, dtable;
  };
  void add_tile(Sums& all, ValueId x, ValueId table, const Slice& run) {
    const std::int64_t tokens = local_size(*b_.type(x).find(L), b_.program().mesh());
    const bool whole = run.count == tokens;
    b_.phase(Phase::forward);
    const ValueId xs = whole ? x : b_.slice(x, run);
    const ValueId labels = whole ? step_.labels : b_.slice(step_.labels, run);
    const std::size_t first = b_.program().steps().size();
    const ValueId loss = loss_of(b_.einsum("logits", xs, table, {b, L, v}), labels);
    all.loss = all.loss == no_value ? loss : b_.add("loss", all.loss, loss);
    if (!o_.layer.backward) return;
    BackwardOptions as_it_comes;
    as_it_comes.settle = false;
    const std::vector<ValueId> d = differentiate(b_, {first, b_.program().steps().size()},
                                                 {{loss, step_.dloss}}, {xs, table}, as_it_comes);
    Type of = b_.type(d[0]);
    for (Dim& dim : of.dims)
      if (dim.name == L) dim = *b_.type(x).find(L);
    all.dx = whole ? d[0] : b_.put(all.dx, d[0], {L, run.begin, run.count}, of);
    const bool first_tile = all.dtable == no_value;
    all.dtable = first_tile ? d[1] : b_.add(b_.value(d[1]).name, all.dtable, d[1]);
    b_.role(all.dtable, Role::weight_gradient);
  }

  ValueId loss_of(ValueId logits, ValueId labels) {
    const bool copies = o_.layer.kernels.logits == LogitsKernel::copies;
    const bool widens = o_.layer.kernels.logits != LogitsKernel::fused;
    const ValueId wide = widens ? b_.cast(logits, DType::f32) : logits;
    const ValueId loss = b_.token_loss(wide, labels, n_.vocabulary, copies);
    if (widens && !copies) b_.hold(logits, wide);
    if (copies) {
      const ValueId logp = b_.program().steps().back().in[0];
      b_.hold(logits, logp);
      b_.hold(wide, logp);
    }
    return loss;
  }

  /// The backward of the first `end` steps.
  void differentiate_to(std::size_t end, const Seeds& seeds) {
    std::vector<ValueId> wanted;
    for (const Parameter& p : step_.parameters)
      if (p.trained) wanted.push_back(p.stored);
    const std::size_t weights = wanted.size();
    if (n_.follows()) wanted.push_back(step_.x);
    const auto finish = [&](ValueId weight, ValueId gradient) {
      return finish_gradient(b_, parameter(weight), gradient, o_.layer);
    };
    const std::vector<ValueId> d =
        differentiate(b_, {0, end}, seeds, wanted,
                      {o_.layer.recompute, true, o_.layer.reduction, o_.layer.kernels.results_held,
                       o_.layer.kernels.whole_gradients, finish});
    for (std::size_t j = 0; j < weights; ++j) b_.output(parameter(wanted[j]).grad = d[j]);
    if (n_.follows()) b_.output(step_.dx = d.back());
  }
  Parameter& parameter(ValueId stored) {
    return *std::ranges::find(step_.parameters, stored, &Parameter::stored);
  }

  const StepShape& n_;
  const StepOptions& o_;
  Builder b_;
  MicroBatch step_;
  Weights w_;
  std::vector<LayerRun> runs_;
  Layout lie_;     ///< of tokens and labels
  WeightRow row_;  ///< of the tables
  ValueId tied_ = no_value;
};

}  // namespace

MicroBatch micro_batch(const StepShape& shape, const Mesh& mesh, const StepOptions& asked) {
  StepOptions options = asked;
  options.layer.unrolled = options.unrolled;
  require(shape.vocabulary >= 0 && !shape.runs.empty(), "a step has layers");
  MicroBatch step = StepWriter(shape, mesh, options).write();
  if (options.offload) step.program = offload(std::move(step.program), step.layer_inputs);
  if (options.weights_on_host) {
    std::vector<ValueId> matrices;
    for (const Parameter& p : step.parameters)
      if (step.program.type(p.stored).dims.size() > 1) matrices.push_back(p.stored);
    step.program = fetch(std::move(step.program), matrices);
  }
  if (options.bucket_elements > 0)
    step.program = bucket(std::move(step.program), options.bucket_elements);
  step.program = chunk(std::move(step.program), options.layer.comm_chunks);
  return step;
}

}  // namespace ithaca
