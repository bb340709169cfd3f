#include "sim/count.h"

#include "models/positions.h"

#include <algorithm>

namespace ithaca {
namespace {

/// An attention's operands and where its keys come from.
struct Attention {
  const Step& step;
  const Mask& mask;
  const KeyHolder& keys;
};

std::int64_t pairs_of(const Program& p, const Attention& a, int rank) {
  const int holder = holder_of(a.keys, p.mesh(), rank);
  const auto held = [&](ValueId v, int by) {
    return positions(*p.type(v).find(DimName::L), p.mesh(), by);
  };
  const std::vector<Run> q = held(a.step.in[0], rank), k = held(a.step.in[1], holder);
  return pairs(a.mask, q, k);
}

std::int64_t local(const Program& p, ValueId v, DimName name) {
  return local_size(*p.type(v).find(name), p.mesh());
}

std::int64_t einsum_flops(const Program& p, const Step& step) {
  std::int64_t flops = 2 * whole_elements(p.type(step.out[0]), p.mesh());
  const Type &a = p.type(step.in[0]), &b = p.type(step.in[1]), &y = p.type(step.out[0]);
  for (const Dim& dim : a.dims)
    if (b.find(dim.name) != nullptr && y.find(dim.name) == nullptr)
      flops *= local_size(dim, p.mesh());
  return flops;
}

/// One query-key pair costs `per_pair` operations per element of the head, in every local sample and head.
std::int64_t attention_flops(const Program& p, const Step& step, std::int64_t pairs,
                             std::int64_t per_pair) {
  const ValueId q = step.in[0];
  return per_pair * pairs * (whole_elements(p.type(q), p.mesh()) / local(p, q, DimName::L));
}

/// Whether tensor_of(p, step) is `tensor`, without making it.
bool carries(const Program& p, const Step& step, std::string_view tensor) {
  if (step.in.size() > 1) return tensor == tensor_of(p, step);
  return tensor == p[step.in[0]].name;
}

void merge(std::vector<Event>& events, const Program& p, const Step& step, const Traffic& t) {
  const Role role = p[step.in[0]].role;
  const std::int64_t n = step.times * step.tiles;
  for (Event& e : events) {
    if (e.phase != step.phase || e.wire != t.wire || e.axes != t.axes || e.role != role) continue;
    if (!carries(p, step, e.tensor)) continue;
    e.calls += static_cast<int>(n);
    e.sent_bytes += n * t.sent_bytes;
    return;
  }
  events.push_back({step.phase, t.wire, t.axes, tensor_of(p, step), role, static_cast<int>(n),
                    t.elements, n * t.sent_bytes});
}

}  // namespace

std::string tensor_of(const Program& p, const Step& step) {
  std::string tensor = p[step.in[0]].name;
  for (std::size_t i = 1; i < step.in.size(); ++i) tensor += "+" + p[step.in[i]].name;
  return tensor;
}

SentBytes Count::sent_bytes() const {
  SentBytes sent;
  for (const Event& e : events)
    (e.role == Role::weight || e.role == Role::weight_gradient ? sent.weight : sent.activation) +=
        e.sent_bytes;
  return sent;
}

Count operator*(std::int64_t n, Count c) {
  for (Event& e : c.events) {
    e.calls *= static_cast<int>(n);
    e.sent_bytes *= n;
  }
  for (std::int64_t* const total :
       {&c.matmul_flops, &c.attention_flops, &c.moved_bytes, &c.to_host_bytes, &c.from_host_bytes})
    *total *= n;
  return c;
}

Count operator+(Count a, const Count& b) {
  a.events.insert(a.events.end(), b.events.begin(), b.events.end());
  a.matmul_flops += b.matmul_flops;
  a.attention_flops += b.attention_flops;
  a.moved_bytes += b.moved_bytes;
  a.to_host_bytes += b.to_host_bytes;
  a.from_host_bytes += b.from_host_bytes;
  return a;
}

std::int64_t attention_pairs(const Program& p, const Step& step, int rank) {
  if (const auto* op = std::get_if<Attend>(&step.op))
    return pairs_of(p, {step, op->mask, op->keys}, rank);
  if (const auto* op = std::get_if<AttendGrad>(&step.op))
    return pairs_of(p, {step, op->mask, op->keys}, rank);
  return 0;
}

/// Operands and results; of what is cut out or put in its place the run alone.
std::int64_t moved_bytes(const Program& p, const Step& step) {
  const auto bytes = [&](ValueId v) { return local_bytes(p.type(v), p.mesh()); };
  if (std::holds_alternative<Slice>(step.op)) return 2 * bytes(step.out[0]);
  if (std::holds_alternative<Put>(step.op)) return 2 * bytes(step.in.back());
  std::int64_t all = 0;
  for (const ValueId v : step.in) all += bytes(v);
  for (const ValueId v : step.out) all += bytes(v);
  return all;
}

Work work_of(const Program& p, const Step& step, int rank) {
  Work work;
  work.moved_bytes = moved_bytes(p, step);
  if (const auto* const copy = std::get_if<Copy>(&step.op))
    (copy->to_host ? work.to_host_bytes : work.from_host_bytes) =
        local_bytes(p.type(step.in[0]), p.mesh());
  if (std::holds_alternative<Einsum>(step.op)) work.matmul_flops = einsum_flops(p, step);
  if (std::holds_alternative<Attend>(step.op))
    work.attention_flops = attention_flops(p, step, attention_pairs(p, step, rank), 4);
  if (std::holds_alternative<AttendGrad>(step.op))
    work.attention_flops = attention_flops(p, step, attention_pairs(p, step, rank), 10);
  return work;
}

Count count(const Program& p, int rank) {
  Count total;
  total.events.reserve(32);
  for (const Step& step : p.steps()) {
    const Work work = work_of(p, step, rank);
    const std::int64_t n = step.times * step.tiles;
    total.matmul_flops += n * work.matmul_flops;
    total.attention_flops += n * work.attention_flops;
    total.moved_bytes += n * work.moved_bytes;
    total.to_host_bytes += n * work.to_host_bytes;
    total.from_host_bytes += n * work.from_host_bytes;
    const Traffic t = traffic_of(p, step);
    if (t.wire != Wire::none) merge(total.events, p, step, t);
  }
  return total;
}

AttentionLoad attention_load(const Program& p) {
  const std::vector<int> ranks = p.mesh().group(0, uneven_axes(p));
  AttentionLoad load;
  for (const int rank : ranks) {
    std::int64_t flops = 0;
    for (const Step& step : p.steps()) flops += work_of(p, step, rank).attention_flops;
    load.busiest_flops = std::max(load.busiest_flops, flops);
    load.mean_flops += static_cast<double>(flops) / static_cast<double>(ranks.size());
  }
  return load;
}

AxisList uneven_axes(const Program& p) {
  AxisList uneven;
  for (const Step& step : p.steps()) {
    if (!std::holds_alternative<Attend>(step.op) && !std::holds_alternative<AttendGrad>(step.op))
      continue;
    AxisList along;
    for (const Cut& cut : p.type(step.in[0]).find(DimName::L)->over) along.push_back(cut.axis);
    const std::int64_t first = attention_pairs(p, step, 0);
    const auto differs = [&](int rank) { return attention_pairs(p, step, rank) != first; };
    if (!std::ranges::any_of(p.mesh().group(0, along), differs)) continue;
    for (const Axis axis : along)
      if (!contains(uneven, axis)) uneven.push_back(axis);
  }
  return uneven;
}

}  // namespace ithaca
