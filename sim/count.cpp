#include "sim/count.h"

#include "models/positions.h"

#include <algorithm>

namespace ithaca {
namespace {

/// The positions of the keys: those of the rank `hops` places back along the ring.
std::vector<Run> key_positions(const Program& p, const Step& step, Axis ring, int hops, int rank) {
  const Dim& L = *p.type(step.in[1]).find(DimName::L);
  int holder = rank;
  if (hops > 0) {
    const std::vector<int> group = p.mesh().group(rank, {ring});
    const int n = static_cast<int>(group.size());
    holder = group[static_cast<std::size_t>((p.mesh().coordinate(rank, ring) - hops % n + n) % n)];
  }
  return positions(L, p.mesh(), holder);
}

std::int64_t pairs_of(const Program& p, const Step& step, bool causal, Axis ring, int hops,
                      int rank) {
  const std::vector<Run> q = positions(*p.type(step.in[0]).find(DimName::L), p.mesh(), rank);
  const std::vector<Run> k = key_positions(p, step, ring, hops, rank);
  return causal ? causal_pairs(q, k) : count_of(q) * count_of(k);
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

void merge(std::vector<Event>& events, const Program& p, const Step& step, const Traffic& t) {
  const Value& first = p[step.in[0]];
  const bool joint = step.in.size() > 1;
  for (Event& e : events) {
    if (e.phase != step.phase || e.wire != t.wire || e.axes != t.axes || e.role != first.role)
      continue;
    if (joint ? !e.tensor.starts_with(first.name) || e.tensor == first.name
              : e.tensor != first.name)
      continue;
    ++e.calls;
    e.sent_bytes += t.sent_bytes;
    return;
  }
  std::string tensor = first.name;
  for (std::size_t i = 1; i < step.in.size(); ++i) tensor += "+" + p[step.in[i]].name;
  events.push_back(
      {step.phase, t.wire, t.axes, std::move(tensor), first.role, 1, t.elements, t.sent_bytes});
}

}  // namespace

SentBytes Count::sent_bytes() const {
  SentBytes sent;
  for (const Event& e : events)
    (e.role == Role::weight || e.role == Role::weight_gradient ? sent.weight : sent.activation) +=
        e.sent_bytes;
  return sent;
}

std::int64_t attention_pairs(const Program& p, const Step& step, int rank) {
  if (const auto* op = std::get_if<Attend>(&step.op))
    return pairs_of(p, step, op->causal, op->ring, op->hops, rank);
  if (const auto* op = std::get_if<AttendGrad>(&step.op))
    return pairs_of(p, step, op->causal, op->ring, op->hops, rank);
  return 0;
}

Work work_of(const Program& p, const Step& step, int rank) {
  Work work;
  for (const ValueId v : step.in) work.moved_bytes += local_bytes(p.type(v), p.mesh());
  for (const ValueId v : step.out) work.moved_bytes += local_bytes(p.type(v), p.mesh());
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
    total.matmul_flops += work.matmul_flops;
    total.attention_flops += work.attention_flops;
    total.moved_bytes += work.moved_bytes;
    const Traffic t = traffic_of(p, step);
    if (t.wire != Wire::none) merge(total.events, p, step, t);
  }
  return total;
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
