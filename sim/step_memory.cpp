#include "sim/step.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <set>

namespace ithaca {
namespace {

BytesByRole operator+(BytesByRole a, const BytesByRole& b) {
  for (std::size_t r = 0; r < memory_roles; ++r) a[r] += b[r];
  return a;
}
BytesByRole operator-(BytesByRole a, const BytesByRole& b) {
  for (std::size_t r = 0; r < memory_roles; ++r) a[r] -= b[r];
  return a;
}
BytesByRole operator*(std::int64_t n, BytesByRole a) {
  for (std::int64_t& bytes : a) bytes *= n;
  return a;
}
std::int64_t sum(const BytesByRole& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0});
}
std::int64_t& at(BytesByRole& bytes, MemoryRole role) {
  return bytes[static_cast<std::size_t>(role)];
}

/// On the device, by role, and on the host.
struct Held {
  BytesByRole device{};
  std::int64_t host = 0;
};
Held operator+(const Held& a, const Held& b) {
  return {a.device + b.device, a.host + b.host};
}
Held operator-(const Held& a, const Held& b) {
  return {a.device - b.device, a.host - b.host};
}
Held operator*(std::int64_t n, const Held& a) {
  return {n * a.device, n * a.host};
}

/// Layers left out between a steady copy and the next: how many, and where the two lie in the program.
struct Gap {
  std::int64_t layers = 0;
  std::int64_t forward_begin = -1;                 ///< first step of the second copy
  std::int64_t second_back = -1, first_back = -1;  ///< last steps of the copies' backwards
  Held saved, left, kept;  ///< by one layer: for the backward, by it, all the time
};

struct Extent {
  std::int64_t forward_begin = -1, forward_end = -1, back_end = -1, times = 1;
};

std::vector<Extent> extents_of(const Program& p) {
  std::vector<Extent> copies;
  for (std::size_t i = 0; i < p.steps().size(); ++i) {
    const Step& step = p.steps()[i];
    if (step.layer < 0) continue;
    const auto layer = static_cast<std::size_t>(step.layer);
    copies.resize(std::max(copies.size(), layer + 1));
    Extent& copy = copies[layer];
    const auto at = static_cast<std::int64_t>(i);
    copy.times = step.times;
    if (step.phase == Phase::forward) {
      if (copy.forward_begin < 0) copy.forward_begin = at;
      copy.forward_end = at;
    } else {
      copy.back_end = at;
    }
  }
  return copies;
}

/// Weights, and gradients of earlier micro-batches, of one copy.
Held persistent(const MicroBatch& micro, std::size_t copy) {
  Held held;
  const Program& p = micro.program;
  const auto add = [&](ValueId v, MemoryRole role) {
    (p[v].on_host ? held.host : at(held.device, role)) += local_bytes(p.type(v), p.mesh());
  };
  for (const Parameter& parameter : micro.parameters) {
    if (parameter.layer != static_cast<int>(copy)) continue;
    add(parameter.stored, MemoryRole::weights);
    if (parameter.sum != no_value) add(parameter.sum, MemoryRole::gradients);
  }
  return held;
}

std::vector<Gap> gaps_of(const MicroBatch& micro, const MemoryPlan& plan) {
  const std::vector<Extent> copies = extents_of(micro.program);
  std::vector<Gap> gaps;
  const auto after = [&](std::int64_t step) {
    return Held{plan.after[static_cast<std::size_t>(step)],
                plan.host_after[static_cast<std::size_t>(step)]};
  };
  for (std::size_t c = 0; c + 1 < copies.size(); ++c) {
    if (copies[c].times == 1) continue;
    const Extent &first = copies[c], &second = copies[c + 1];
    Gap gap{first.times - 1, second.forward_begin, second.back_end, first.back_end, {}, {}, {}};
    const Extent& before = copies[c - 1];  // a steady copy has one on both sides
    gap.saved = after(first.forward_end) - after(before.forward_end);
    if (first.back_end >= 0) gap.left = after(first.back_end) - after(second.back_end) + gap.saved;
    gap.kept = persistent(micro, c);
    gaps.push_back(gap);
  }
  return gaps;
}

/// What one layer left out holds beside what it always does while step i runs.
Held held_by_one(const Gap& gap, std::int64_t i) {
  const bool forward_only = gap.first_back < 0;
  if (i < gap.forward_begin || forward_only) return {};
  if (i <= gap.second_back) return gap.saved;
  if (i > gap.first_back) return gap.left;
  // The first copy's backward stands for those of all layers but the last.
  return {sum(gap.saved.device) > sum(gap.left.device) ? gap.saved.device : gap.left.device,
          std::max(gap.saved.host, gap.left.host)};
}

/// What the layers left out hold while step i runs.
Held left_out(const std::vector<Gap>& gaps, std::int64_t i) {
  Held held;
  for (const Gap& gap : gaps) held = held + gap.layers * (gap.kept + held_by_one(gap, i));
  return held;
}

struct States {
  std::int64_t device = 0, host = 0;
};

/// Of all parameters, between steps: masters and moments.
States states_of(const MicroBatch& micro, const Update& update) {
  States states;
  const Program& p = update.program;
  for (std::size_t i = 0; i < update.slots.size(); ++i)
    for (const ValueId v : {update.slots[i].master.in, update.slots[i].m.in, update.slots[i].v.in})
      if (v != no_value)
        (p[v].on_host ? states.host : states.device) +=
            micro.parameters[i].times * local_bytes(p.type(v), p.mesh());
  return states;
}

std::string describe(const Program& p, std::size_t step) {
  return fmt::format("{} {}", name_of(p.steps()[step].phase), name_of(p.steps()[step].op));
}

/// Weights made to be used, live while step i runs.
std::int64_t gathered(const Program& p, const MemoryPlan& plan, std::size_t i) {
  const auto now = static_cast<std::int64_t>(i);
  std::int64_t bytes = 0;
  for (ValueId v = 0; v < p.values().size(); ++v) {
    const Lifetime& life = plan.lifetime[v];
    if (p[v].role == Role::weight && !p[v].on_host && life.born >= 0 && life.born <= now &&
        life.dies >= now)
      bytes += local_bytes(p.type(v), p.mesh());
  }
  return bytes;
}

void take_peak(StepMemory& m, const BytesByRole& bytes, const std::string& where) {
  if (sum(bytes) <= m.peak_bytes) return;
  m.peak_bytes = sum(bytes);
  m.by_role = bytes;
  m.where = where;
}

struct Beside {
  std::int64_t bytes = 0;
  std::size_t step = 0;
};

/// The most the update needs in one memory beside what it is given.  New weights made from masters take the place of
/// the old ones, which are not given and count anyway.
Beside beside_inputs(const Update& update, const MemoryPlan& plan, bool on_host) {
  const Program& p = update.program;
  const auto bytes = [&](ValueId v) {
    return p[v].on_host == on_host ? local_bytes(p.type(v), p.mesh()) : 0;
  };
  std::int64_t given = 0;
  for (const ValueId v : p.inputs()) given += bytes(v);
  std::vector<std::int64_t> born(p.steps().size());
  for (const UpdateSlot& slot : update.slots)
    if (slot.stored.in == no_value && slot.stored.out != no_value &&
        plan.lifetime[slot.stored.out].born >= 0)
      born[static_cast<std::size_t>(plan.lifetime[slot.stored.out].born)] += bytes(slot.stored.out);
  Beside most;
  for (std::size_t i = 0; i < born.size(); ++i) {
    given += born[i];
    const std::int64_t beside = (on_host ? plan.host_live : plan.live)[i] - given;
    if (beside > most.bytes) most = {beside, i};
  }
  return most;
}

/// One empty gradient for every shape whose products keep one.
std::int64_t kept_empties(const Program& p) {
  std::set<std::vector<std::int64_t>> shapes;
  std::int64_t bytes = 0;
  for (const Step& step : p.steps()) {
    const auto* const product = std::get_if<Einsum>(&step.op);
    if (product == nullptr || !product->keeps_empty) continue;
    const Type& y = p.type(step.out[0]);
    std::vector<std::int64_t> shape;
    for (const Dim& dim : y.dims) shape.push_back(local_size(dim, p.mesh()));
    if (shapes.insert(shape).second)
      bytes += whole_elements(y, p.mesh()) * bytes_of(p.type(step.in[0]).dtype);
  }
  return bytes;
}

/// Held with no micro-batch in flight.
BytesByRole resident(const MicroBatch& micro, const States& states) {
  const Program& p = micro.program;
  BytesByRole held{};
  const auto add = [&](ValueId v, MemoryRole role, std::int64_t times) {
    if (v != no_value && !p[v].on_host) at(held, role) += times * local_bytes(p.type(v), p.mesh());
  };
  for (const Parameter& parameter : micro.parameters) {
    add(parameter.stored, MemoryRole::weights, parameter.times);
    add(parameter.sum, MemoryRole::gradients, parameter.times);
  }
  at(held, MemoryRole::optimizer) = states.device;
  at(held, MemoryRole::gradients) += kept_empties(p);
  return held;
}

/// The update holds all weights and gradients, and the most it needs beside what it is given.
void add_update(StepMemory& m, const MicroBatch& micro, const Update& update,
                const States& states) {
  if (update.program.steps().empty()) return;
  const MemoryPlan plan = memory(update.program);
  BytesByRole held{};
  std::int64_t host = states.host;
  for (std::size_t i = 0; i < micro.parameters.size(); ++i) {
    const Parameter& p = micro.parameters[i];
    const auto add = [&](ValueId v, MemoryRole role) {
      (micro.program[v].on_host ? host : at(held, role)) +=
          p.times * local_bytes(micro.program.type(v), micro.program.mesh());
    };
    add(p.stored, MemoryRole::weights);
    if (p.grad != no_value) add(p.grad, MemoryRole::gradients);
  }
  at(held, MemoryRole::optimizer) = states.device;
  at(held, MemoryRole::gradients) += kept_empties(micro.program);
  const Beside device = beside_inputs(update, plan, false);
  at(held, MemoryRole::communication) += device.bytes;
  m.update_peak_bytes = sum(held);
  take_peak(m, held, describe(update.program, device.step));
  m.host_bytes = std::max(m.host_bytes, host + beside_inputs(update, plan, true).bytes);
}

}  // namespace

StepMemory step_memory(const MicroBatch& micro, const Update& update) {
  const MemoryPlan plan = memory(micro.program);
  const std::vector<Gap> gaps = gaps_of(micro, plan);
  const States states = states_of(micro, update);
  const std::int64_t empties = kept_empties(micro.program);
  StepMemory m;
  std::size_t peak_step = 0;
  for (std::size_t i = 0; i < plan.by_step.size(); ++i) {
    const auto step = static_cast<std::int64_t>(i);
    const Held beside = left_out(gaps, step);
    BytesByRole now = plan.by_step[i] + beside.device;
    at(now, MemoryRole::optimizer) += states.device;
    at(now, MemoryRole::gradients) += empties;
    if (sum(now) > m.peak_bytes) peak_step = i;
    m.micro_batch_peak_bytes = std::max(m.micro_batch_peak_bytes, sum(now));
    m.saved_bytes = std::max(m.saved_bytes, at(now, MemoryRole::saved));
    if (micro.program.steps()[i].phase == Phase::forward) {
      m.forward_peak_bytes = std::max(m.forward_peak_bytes, sum(now));
      const std::int64_t before = plan.host_live[0] + left_out(gaps, 0).host;
      m.host_saved_bytes = std::max(m.host_saved_bytes, plan.host_live[i] + beside.host - before);
    }
    take_peak(m, now, describe(micro.program, i));
    m.host_bytes = std::max(m.host_bytes, states.host + plan.host_live[i] + beside.host);
    if (std::holds_alternative<TokenLoss>(micro.program.steps()[i].op) && m.at_loss_bytes == 0)
      m.at_loss_bytes = sum(now);
  }
  m.resident = resident(micro, states);
  if (!plan.by_step.empty()) m.gathered_bytes = gathered(micro.program, plan, peak_step);
  add_update(m, micro, update, states);
  return m;
}

}  // namespace ithaca
