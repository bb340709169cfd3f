#include "runtime/verify.h"

#include "models/error.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/threads/thread_communicator.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>

namespace ithaca {
namespace {

using Slices = std::vector<std::vector<std::byte>>;

/// A layer and its update, run on every rank of the mesh.
struct Executed {
  Layer layer;
  Program update;
  std::vector<RankResult> layer_by_rank, update_by_rank;
};

Inputs layer_inputs(const Program& p, int rank) {
  return [&p, rank](ValueId v) { return slice_of(numbers_for(p, v), p.type(v), p.mesh(), rank); };
}

/// Inputs of the update: the gradients as the layer left them.
Inputs update_inputs(const Executed& x, int rank) {
  return [&x, rank](ValueId v) {
    const auto j = std::ranges::find(x.update.inputs(), v) - x.update.inputs().begin();
    const ValueId grad = x.layer.weights[static_cast<std::size_t>(j)].grad;
    return x.layer_by_rank[static_cast<std::size_t>(rank)].outputs.at(grad);
  };
}

Executed execute(Layer layer, const VerifyOptions& options) {
  layer.program = retype(std::move(layer.program), options.dtype);
  const int ranks = layer.program.mesh().ranks();
  Executed x{std::move(layer), {}, {}, {}};
  x.update = settle_program(x.layer);
  x.layer_by_rank.resize(static_cast<std::size_t>(ranks));
  x.update_by_rank.resize(static_cast<std::size_t>(ranks));
  CpuDevice device;
  const Runnable layer_runs(x.layer.program), update_runs(x.update);
  run_ranks(
      ranks,
      [&](ThreadCommunicator& communicator) {
        const int rank = communicator.rank();
        const auto at = static_cast<std::size_t>(rank);
        x.layer_by_rank[at] =
            run_rank(layer_runs, device, communicator, layer_inputs(x.layer.program, rank));
        x.update_by_rank[at] = run_rank(update_runs, device, communicator, update_inputs(x, rank));
      },
      options.patience_s);
  return x;
}

Gathered gather_output(const Program& p, std::vector<RankResult>& by_rank, ValueId v) {
  Slices slices;
  for (RankResult& result : by_rank) slices.push_back(result.outputs.at(v));
  return gather(p.type(v), p.mesh(), slices);
}

Comparison compare(const std::string& name, const Gathered& sharded, const Gathered& one) {
  return {name, relative_error(sharded.whole, one.whole), sharded.replica_difference};
}

std::vector<Comparison> compare_tensors(Executed& many, Executed& one) {
  std::vector<Comparison> result;
  const auto add = [&](const std::string& name, ValueId a, ValueId b) {
    result.push_back(compare(name, gather_output(many.layer.program, many.layer_by_rank, a),
                             gather_output(one.layer.program, one.layer_by_rank, b)));
  };
  add("y", many.layer.y, one.layer.y);
  add("dx", many.layer.dx, one.layer.dx);
  for (std::size_t j = 0; j < many.layer.weights.size(); ++j)
    result.push_back(
        compare("d" + many.layer.program[many.layer.weights[j].stored].name,
                gather_output(many.update, many.update_by_rank, many.update.outputs()[j]),
                gather_output(one.update, one.update_by_rank, one.update.outputs()[j])));
  return result;
}

/// The measurement farthest from the prediction.
void take_farther(std::int64_t& measured, std::int64_t other, std::int64_t predicted) {
  if (std::abs(other - predicted) > std::abs(measured - predicted)) measured = other;
}

/// Which event of count() a step belongs to.
std::size_t event_of(const std::vector<Event>& events, const Program& p, const Step& step) {
  const Traffic t = traffic_of(p, step);
  const std::string tensor = tensor_of(p, step);
  const auto it = std::ranges::find_if(events, [&](const Event& e) {
    return e.phase == step.phase && e.wire == t.wire && e.axes == t.axes && e.tensor == tensor &&
           e.role == p[step.in[0]].role;
  });
  require(it != events.end(), "a collective that count() did not count");
  return static_cast<std::size_t>(it - events.begin());
}

void append_sent(Verification& v, const Program& p, const std::vector<RankResult>& by_rank) {
  const std::vector<Event> events = count(p).events;
  const std::size_t first = v.sent.size();
  for (const Event& event : events) v.sent.push_back({event, event.sent_bytes});
  for (const RankResult& rank : by_rank) {
    std::vector<std::int64_t> measured(events.size());
    for (std::size_t i = 0; i < p.steps().size(); ++i) {
      const std::int64_t sent = rank.sent_bytes_by_step[i];
      if (sent != 0 || traffic_of(p, p.steps()[i]).wire != Wire::none)
        measured[event_of(events, p, p.steps()[i])] += sent;
    }
    for (std::size_t i = 0; i < events.size(); ++i)
      take_farther(v.sent[first + i].measured_bytes, measured[i], events[i].sent_bytes);
  }
}

void append_live(Verification& v, const std::string& name, const Program& p,
                 const std::vector<RankResult>& by_rank) {
  const std::int64_t predicted = memory(p).peak_bytes;
  LiveComparison live{name, predicted, predicted};
  for (const RankResult& rank : by_rank)
    take_farther(live.measured_bytes, rank.peak_live_bytes, predicted);
  v.live.push_back(live);
}

Timeline timeline_of(const std::vector<RankResult>& by_rank) {
  Timeline t;
  for (const RankResult& rank : by_rank)
    t.spans.insert(t.spans.end(), rank.spans.begin(), rank.spans.end());
  const auto first = std::ranges::min_element(t.spans, {}, &Span::begin_s);
  const double start_s = first == t.spans.end() ? 0 : first->begin_s;
  std::vector<double> compute_s(by_rank.size()), comm_s(by_rank.size());
  for (Span& span : t.spans) {
    span.begin_s -= start_s;
    span.end_s -= start_s;
    (span.lane == 0 ? compute_s : comm_s)[static_cast<std::size_t>(span.rank)] +=
        span.end_s - span.begin_s;
    t.end_s = std::max(t.end_s, span.end_s);
  }
  t.compute_s = std::ranges::max(compute_s);
  t.comm_s = std::ranges::max(comm_s);
  t.exposed_comm_s = t.end_s - t.compute_s;
  return t;
}

std::vector<std::vector<std::int64_t>> sent_by_rank(const Executed& x) {
  std::vector<std::vector<std::int64_t>> sent;
  for (std::size_t rank = 0; rank < x.layer_by_rank.size(); ++rank) {
    sent.push_back(x.layer_by_rank[rank].sent_bytes_to);
    std::ranges::transform(sent.back(), x.update_by_rank[rank].sent_bytes_to, sent.back().begin(),
                           std::plus<>{});
  }
  return sent;
}

}  // namespace

double Verification::max_relative_error() const {
  return std::ranges::max(tensors, {}, &Comparison::max_relative_error).max_relative_error;
}

double Verification::max_replica_difference() const {
  return std::ranges::max(tensors, {}, &Comparison::replica_difference).replica_difference;
}

bool Verification::bytes_match() const {
  return std::ranges::all_of(
             sent,
             [](const SentComparison& s) { return s.predicted.sent_bytes == s.measured_bytes; }) &&
         std::ranges::all_of(
             live, [](const LiveComparison& l) { return l.predicted_bytes == l.measured_bytes; });
}

Verification verify_layer(const LayerShape& shape, const Strategy& strategy, const Mesh& mesh,
                          const VerifyOptions& options) {
  LayerOptions plain{false, true, options.dtype};
  plain.kernels = options.kernels;
  LayerOptions levers = plain;
  levers.recompute = options.recompute;
  levers.mlp_tiles = options.mlp_tiles;
  levers.comm_chunks = options.comm_chunks;
  Executed many = execute(layer_program(shape, strategy, mesh, levers), options);
  Executed one = execute(one_rank(shape, plain), options);
  Verification v;
  v.tensors = compare_tensors(many, one);
  append_sent(v, many.layer.program, many.layer_by_rank);
  append_sent(v, many.update, many.update_by_rank);
  append_live(v, "layer", many.layer.program, many.layer_by_rank);
  append_live(v, "update", many.update, many.update_by_rank);
  v.timeline = timeline_of(many.layer_by_rank);
  v.sent_bytes_to = sent_by_rank(many);
  v.one_rank_s = timeline_of(one.layer_by_rank).end_s;
  return v;
}

}  // namespace ithaca
