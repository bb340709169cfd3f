#include "reports/time_accuracy.h"

#include "models/passes/bucket.h"
#include "planner/price.h"
#include "reports/published_setups.h"
#include "sim/schedule.h"
#include "sim/time.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

namespace ithaca {
namespace {

constexpr std::array time_keys{"iter_time_s",
                               "tokens_per_s_per_gpu",
                               "tokens_per_s_total",
                               "tflops_per_gpu",
                               "mfu_pct",
                               "iters_per_s",
                               "fwd_ms",
                               "bwd_ms",
                               "fwd_bwd_ms"};

double tokens_of(const PublishedRow& row) {
  return static_cast<double>(row.global_batch) * static_cast<double>(row.seq_len);
}

/// arXiv 2104.04473, equation 3: the FLOPs of a step with full recompute that its rates are of.
std::optional<double> step_flops(const PublishedRow& row) {
  if (!says(row.flops_convention, "96*B*s*l*h^2")) return std::nullopt;
  const PublishedModel& m = row.model;
  const auto s = static_cast<double>(row.seq_len), l = static_cast<double>(m.layers),
             h = static_cast<double>(m.hidden), V = static_cast<double>(m.vocab);
  return 96 * tokens_of(row) * l * h * h * (1 + s / (6 * h) + V / (16 * l * h));
}

/// Seconds of one optimizer step as the row states them.
std::optional<double> step_seconds(const PublishedRow& row) {
  if (const auto seconds = row.metric("iter_time_s")) return seconds;
  if (row.global_batch == 0) return std::nullopt;
  if (const auto each = row.metric("tokens_per_s_per_gpu"))
    return tokens_of(row) / (*each * static_cast<double>(row.gpus));
  if (const auto all = row.metric("tokens_per_s_total")) return tokens_of(row) / *all;
  const auto rate = row.metric("tflops_per_gpu"), flops = step_flops(row);
  if (rate && flops) return *flops / (*rate * 1e12 * static_cast<double>(row.gpus));
  return std::nullopt;
}

/// The machine, the model, the length, a micro-batch and what is recomputed; what differs is how it is split and by what.
std::string group_of(const PublishedRow& row) {
  return fmt::format(
      "{} {} {} layers d={} h={}/{} L={} on {} x {} ({} a node, {} | {}) micro-batch {} x {} "
      "recompute {} offload {}",
      row.file, row.model.name, row.model.layers, row.model.hidden, row.model.heads,
      row.model.kv_heads, row.seq_len, row.gpus, row.gpu, row.gpus_per_node, row.intra, row.inter,
      row.micro_batch, row.grad_accum, row.recompute, row.offload);
}

bool counts(const PublishedRow& row) {
  if (row.kind == "attention_layer") return false;
  const bool digits = !says(row.how_read, "figure") && !says(row.how_read, "curve");
  const bool host = !row.offload.empty() && row.offload != "none";
  // Megatron-LM 2020 takes the batch of a replica at once (reports/published_setups.cpp).
  const bool stated =
      row.kind != "e2e" || row.micro_batch > 0 || row.grad_accum > 0 || says(row.framework, "2020");
  return digits && !host && stated;
}

class RowReader {
 public:
  RowReader(const PublishedRow& row, const PublishedSetup& setup, TimeAccuracy& into)
      : row_(row), s_(setup), cost_(setup.job.cluster), into_(into) {}

  void read() {
    const Arrangement at = arrange(s_.strategy, s_.mesh, s_.job.shape);
    if (row_.kind == "attention_layer") return attention(at);
    if (row_.kind == "layer") return layer(at);
    const auto measured = step_seconds(row_);
    if (!measured)
      throw CannotModel{"only FLOP/s or MFU are stated, and no formula for them is taken up"};
    const std::int64_t samples = s_.job.micro_batches * s_.job.shape.b;
    if (samples != row_.global_batch)
      throw CannotModel{fmt::format("{} micro-batches of {} samples are not the batch of {}",
                                    s_.job.micro_batches, s_.job.shape.b, row_.global_batch)};
    predict("step", *measured, step_s(at), tokens_of(row_) / row_.gpus);
  }

 private:
  double step_s(const Arrangement& at) const {
    const Job& job = s_.job;
    if (job.pipeline.on()) return price(job, s_.strategy, s_.mesh, s_.recompute).time.step_s;
    const StepPrograms step = step_of(job, at, s_.recompute);
    return step_time(step.micro, step.update, {job.micro_batches, job.overlap, job.profile.streams},
                     cost_)
        .step_s;
  }

  double seconds(const Program& p) const {
    return time(p, s_.job.overlap ? overlapped(p, s_.job.profile.streams) : blocking(p), cost_)
        .end_s;
  }

  void attention(const Arrangement& at) {
    LayerOptions options = step_options(s_.job, at, s_.recompute).layer;
    options.recompute = {};
    const auto whole = [&](bool backward) {
      options.backward = backward;
      Program p = attention_program(s_.job.shape, at.strategy, at.mesh, options);
      if (s_.job.levers.bucket_elements > 0)
        p = bucket(std::move(p), s_.job.levers.bucket_elements);
      return seconds(p);
    };
    const double tokens = static_cast<double>(s_.job.shape.b * s_.job.shape.L) / row_.gpus;
    if (const auto ms = row_.metric("fwd_ms"))
      predict("attention forward", *ms / 1e3, whole(false), tokens);
    if (const auto ms = row_.metric("bwd_ms"))
      predict("attention backward", *ms / 1e3, whole(true) - whole(false), tokens);
    if (const auto ms = row_.metric("fwd_bwd_ms"))
      predict("attention forward and backward", *ms / 1e3, whole(true), tokens);
  }

  void layer(const Arrangement& at) {
    const double tokens = static_cast<double>(s_.job.shape.b * s_.job.shape.L) / row_.gpus;
    Job job = s_.job;
    const auto whole = [&](bool backward) {
      job.forward_only = !backward;
      return seconds(layer_of(job, at, s_.recompute).program);
    };
    if (const auto ms = row_.metric("fwd_ms")) predict("forward", *ms / 1e3, whole(false), tokens);
    if (const auto ms = row_.metric("bwd_ms"))
      predict("backward", *ms / 1e3, whole(true) - whole(false), tokens);
  }

  void predict(const char* what, double measured, double predicted, double tokens) {
    into_.predictions.push_back({row_.id, row_.file, what, measured, predicted, tokens,
                                 group_of(row_), counts(row_), std::string(s_.job.profile.name),
                                 s_.strategy, s_.reading, s_.job.cluster.gpu.compute_capability});
  }

  const PublishedRow& row_;
  const PublishedSetup& s_;
  ClusterCost cost_;
  TimeAccuracy& into_;
};

/// One measurement that stands in two places counts once.
void append(TimeAccuracy& all, const TimeAccuracy& row) {
  for (const TimePrediction& p : row.predictions) {
    const auto same = std::ranges::find_if(all.predictions, [&](const TimePrediction& q) {
      return p.what == "step" && q.source == p.source && q.what == p.what &&
             q.strategy == p.strategy && q.tokens_per_gpu == p.tokens_per_gpu &&
             q.measured_s == p.measured_s && q.predicted_s == p.predicted_s;
    });
    if (same == all.predictions.end())
      all.predictions.push_back(p);
    else
      all.unmodelled.push_back(
          {p.id, p.source, fmt::format("the measurement of {} once more", same->id)});
  }
}

}  // namespace

bool speaks_of_time(const PublishedRow& row) {
  return std::ranges::any_of(time_keys,
                             [&](const char* key) { return row.metric(key).has_value(); });
}

TimeAccuracy time_accuracy(const std::vector<PublishedRow>& rows) {
  TimeAccuracy accuracy;
  for (const PublishedRow& row : rows) {
    if (!speaks_of_time(row)) continue;
    predict_row(row, accuracy.unmodelled, [&](const PublishedSetup& setup) {
      TimeAccuracy one;  // a row is predicted as a whole or not at all
      RowReader(row, setup, one).read();
      append(accuracy, one);
    });
  }
  return accuracy;
}

ErrorStatistics time_statistics(const TimeAccuracy& accuracy, std::string_view source) {
  std::vector<double> errors;
  for (const TimePrediction& p : accuracy.predictions)
    if (source.empty() ? p.counts : p.source == source) errors.push_back(p.error());
  return statistics(std::move(errors));
}

}  // namespace ithaca
