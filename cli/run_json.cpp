#include "cli/run_json.h"

#include "cli/text.h"
#include "reports/format.h"
#include "sim/schedule.h"
#include "sim/time.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ithaca {
namespace {

/// JSON has no infinity; a NaN or an overflow is the largest number there is.
Json number(double x) {
  return std::isfinite(x) ? x : std::numeric_limits<double>::max();
}

/// Events of all layers: calls and bytes add up.
Json collectives_part(const TwinRun& run) {
  const auto n = static_cast<int>(run.layers.size());
  Json json = Json::array();
  for (std::size_t e = 0; e < run.layers.front().sent.size(); ++e) {
    const Event& event = run.layers.front().sent[e].predicted;
    std::int64_t measured = 0;
    for (const Verification& v : run.layers) measured += v.sent[e].measured_bytes;
    json.push_back(event_json(event, run.arrangement.mesh));
    json.back().update({{"calls", event.calls * n},
                        {"predicted_bytes", event.sent_bytes * n},
                        {"measured_bytes", measured}});
  }
  return json;
}

/// Forward, backward and recomputation; or the update.
Json sent_part(const TwinRun& run, bool update) {
  std::int64_t predicted = 0, measured = 0;
  for (const Verification& v : run.layers)
    for (const SentComparison& s : v.sent)
      if ((s.predicted.phase == Phase::update) == update) {
        predicted += s.predicted.sent_bytes;
        measured += s.measured_bytes;
      }
  return {{"predicted", predicted}, {"measured", measured}};
}

Json live_part(const TwinRun& run, std::size_t program) {
  const LiveComparison& first = run.layers.front().live[program];
  std::int64_t measured = first.measured_bytes;
  for (const Verification& v : run.layers)
    if (v.live[program].measured_bytes != first.predicted_bytes)
      measured = v.live[program].measured_bytes;
  return {{"predicted", first.predicted_bytes}, {"measured", measured}};
}

Json errors_part(const TwinRun& run) {
  Json json = Json::object();
  for (std::size_t t = 0; t < run.layers.front().tensors.size(); ++t) {
    double most = 0;
    for (const Verification& v : run.layers) most = std::max(most, v.tensors[t].max_relative_error);
    json[run.layers.front().tensors[t].name] = number(most);
  }
  return json;
}

/// Ranks with equal work are predicted once.
double predicted_s(const Timeline& predicted, const Span& measured) {
  double seconds = 0;
  for (const Span& span : predicted.spans) {
    if (span.step != measured.step) continue;
    seconds = span.end_s - span.begin_s;
    if (span.rank == measured.rank) break;
  }
  return seconds;
}

/// Layers follow one another.
Json spans_part(const TwinRun& run, const std::optional<Timeline>& predicted) {
  const Layer layer = run.layer();
  Json json = Json::array();
  double start_s = 0;
  for (const Verification& v : run.layers) {
    for (const Span& span : v.timeline.spans) {
      const Step& step = layer.program.steps()[span.step];
      json.push_back({{"rank", span.rank},
                      {"step", span.step},
                      {"name", step_text(layer.program, step)},
                      {"lane", lane_text(layer.program, span.lane)},
                      {"phase", name_of(step.phase)},
                      {"begin_s", start_s + span.begin_s},
                      {"end_s", start_s + span.end_s}});
      if (predicted) json.back()["predicted_s"] = predicted_s(*predicted, span);
    }
    start_s += v.timeline.end_s;
  }
  return json;
}

Json time_part(const TwinRun& run, const std::optional<Timeline>& predicted) {
  Json layers = Json::array();
  double sharded_s = 0, one_rank_s = 0, compute_s = 0, exposed_s = 0;
  for (const Verification& v : run.layers) {
    sharded_s += v.timeline.end_s;
    compute_s += v.timeline.compute_s;
    exposed_s += v.timeline.exposed_comm_s;
    one_rank_s += v.one_rank_s;
    layers.push_back(v.timeline.end_s);
  }
  return {{"wall_s", sharded_s},
          {"compute_s", compute_s},
          {"exposed_comm_s", exposed_s},
          {"one_rank_s", one_rank_s},
          {"layers_s", layers},
          {"layer_s", run.median_layer_s()},
          {"predicted_layer_s", predicted ? Json(predicted->end_s) : Json()},
          {"calibrated", run.cluster ? Json(run.cluster->name) : Json()}};
}

}  // namespace

double TwinRun::max_relative_error() const {
  double most = 0;
  for (const Verification& v : layers) most = std::max(most, v.max_relative_error());
  return most;
}

double TwinRun::max_replica_difference() const {
  double most = 0;
  for (const Verification& v : layers) most = std::max(most, v.max_replica_difference());
  return most;
}

bool TwinRun::bytes_match() const {
  return std::ranges::all_of(layers, &Verification::bytes_match);
}

bool TwinRun::verified() const {
  return bytes_match() && max_relative_error() <= tolerance() &&
         max_replica_difference() <= tolerance();
}

double TwinRun::median_layer_s() const {
  std::vector<double> all;
  for (const Verification& v : layers) all.push_back(v.timeline.end_s);
  std::ranges::sort(all);
  const std::size_t n = all.size();
  return n == 0 ? 0 : (all[(n - 1) / 2] + all[n / 2]) / 2;
}

LayerOptions TwinRun::options() const {
  LayerOptions options{plan.recompute, true, dtype};
  options.comm_chunks = plan.job.levers.comm_chunks;
  return options;
}

Timeline predicted_layer(const TwinRun& run) {
  const Layer layer = run.layer();
  const Program p = retype(layer.program, run.dtype);
  return time(p, blocking(p), ClusterCost(*run.cluster));
}

Json plan_json(const PlanFile& p) {
  return {{"model", p.job.model},
          {"shape", shape_json(p.job.shape)},
          {"layers", p.job.layers},
          {"cluster", p.cluster},
          {"gpus", p.job.gpus},
          {"strategy", p.strategy},
          {"mesh", mesh_json(p.mesh)},
          {"recompute", text_of(p.recompute)},
          {"schedule", p.job.overlap ? "overlapped" : "blocking"},
          {"step_s", p.step_s},
          {"peak_bytes", p.peak_bytes},
          {"sent_bytes", p.sent_bytes}};
}

Json run_json(const TwinRun& run) {
  const std::optional<Timeline> predicted =
      run.cluster ? std::optional(predicted_layer(run)) : std::nullopt;
  return {{"schema", "ithaca/1"},
          {"kind", "run"},
          {"plan", plan_json(run.plan)},
          {"communicator", "threads"},
          {"device", "cpu"},
          {"dtype", name_of(run.dtype)},
          {"scale", run.scale},
          {"layers", run.layers.size()},
          {"shape", shape_json(run.shape)},
          {"mesh", mesh_json(run.arrangement.mesh)},
          {"strategy", run.arrangement.name},
          {"verified", run.verified()},
          {"tolerance", run.tolerance()},
          {"collectives", collectives_part(run)},
          {"max_relative_error", errors_part(run)},
          {"max_replica_difference", number(run.max_replica_difference())},
          {"live_bytes", live_part(run, 0)},
          {"update_live_bytes", live_part(run, 1)},
          {"sent_bytes", sent_part(run, false)},
          {"update_sent_bytes", sent_part(run, true)},
          {"time", time_part(run, predicted)},
          {"spans", spans_part(run, predicted)}};
}

}  // namespace ithaca
