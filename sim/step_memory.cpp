#include "sim/step.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

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

/// Layers left out between a steady copy and the next: how many, and where the two lie in the program.
struct Gap {
  std::int64_t layers = 0;
  std::int64_t forward_begin = -1, forward_end = -1;  ///< steps of the second copy's forward
  std::int64_t second_back = -1, first_back = -1;     ///< last steps of the copies' backwards
  BytesByRole saved{}, left{}, kept{};  ///< by one layer: for the backward, by it, all the time
  std::int64_t host_saved = 0;
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
BytesByRole persistent(const MicroBatch& micro, std::size_t copy) {
  BytesByRole bytes{};
  const Program& p = micro.program;
  for (const Parameter& parameter : micro.parameters) {
    if (parameter.layer != static_cast<int>(copy)) continue;
    at(bytes, MemoryRole::weights) += local_bytes(p.type(parameter.stored), p.mesh());
    if (parameter.sum != no_value)
      at(bytes, MemoryRole::gradients) += local_bytes(p.type(parameter.sum), p.mesh());
  }
  return bytes;
}

std::vector<Gap> gaps_of(const MicroBatch& micro, const MemoryPlan& plan) {
  const std::vector<Extent> copies = extents_of(micro.program);
  std::vector<Gap> gaps;
  const auto after = [&](std::int64_t step) { return plan.after[static_cast<std::size_t>(step)]; };
  for (std::size_t c = 0; c + 1 < copies.size(); ++c) {
    if (copies[c].times == 1) continue;
    const Extent &first = copies[c], &second = copies[c + 1];
    Gap gap{first.times - 1,
            second.forward_begin,
            second.forward_end,
            second.back_end,
            first.back_end,
            {},
            {},
            {},
            0};
    const Extent& before = copies[c - 1];  // a steady copy has one on both sides
    gap.saved = after(first.forward_end) - after(before.forward_end);
    gap.host_saved = plan.host_after[static_cast<std::size_t>(first.forward_end)] -
                     plan.host_after[static_cast<std::size_t>(before.forward_end)];
    if (first.back_end >= 0) gap.left = after(first.back_end) - after(second.back_end) + gap.saved;
    gap.kept = persistent(micro, c);
    gaps.push_back(gap);
  }
  return gaps;
}

/// What the layers left out hold while step i runs.
BytesByRole left_out(const std::vector<Gap>& gaps, std::int64_t i) {
  BytesByRole bytes{};
  for (const Gap& gap : gaps) {
    bytes = bytes + gap.layers * gap.kept;
    if (i < gap.forward_begin) continue;
    const bool forward_only = gap.first_back < 0;
    if (forward_only || i <= gap.second_back)
      bytes = bytes + gap.layers * (forward_only ? BytesByRole{} : gap.saved);
    else if (
        i <=
        gap.first_back)  // the first copy's backward stands for those of all layers but the last
      bytes = bytes + gap.layers * (sum(gap.saved) > sum(gap.left) ? gap.saved : gap.left);
    else
      bytes = bytes + gap.layers * gap.left;
  }
  return bytes;
}

std::int64_t host_left_out(const std::vector<Gap>& gaps, std::int64_t i) {
  std::int64_t bytes = 0;
  for (const Gap& gap : gaps)
    if (i >= gap.forward_begin && i <= gap.first_back) bytes += gap.layers * gap.host_saved;
  return bytes;
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

void take_peak(StepMemory& m, const BytesByRole& bytes, const std::string& where) {
  if (sum(bytes) <= m.peak_bytes) return;
  m.peak_bytes = sum(bytes);
  m.by_role = bytes;
  m.where = where;
}

/// The update holds all weights and gradients, and the most it needs beside what it is given.
void add_update(StepMemory& m, const MicroBatch& micro, const Update& update,
                const States& states) {
  if (update.program.steps().empty()) return;
  const MemoryPlan plan = memory(update.program);
  BytesByRole held{};
  for (std::size_t i = 0; i < micro.parameters.size(); ++i) {
    const Parameter& p = micro.parameters[i];
    const auto bytes = [&](ValueId v) {
      return p.times * local_bytes(micro.program.type(v), micro.program.mesh());
    };
    at(held, MemoryRole::weights) += bytes(p.stored);
    if (p.grad != no_value) at(held, MemoryRole::gradients) += bytes(p.grad);
  }
  at(held, MemoryRole::optimizer) = states.device;
  std::int64_t given = 0, made = 0, beside = 0;
  for (const ValueId v : update.program.inputs())
    if (!update.program[v].on_host)
      given += local_bytes(update.program.type(v), update.program.mesh());
  std::vector<std::int64_t> born(update.program.steps().size());
  for (const UpdateSlot& slot : update.slots)
    if (slot.stored.in == no_value && slot.stored.out != no_value &&
        plan.lifetime[slot.stored.out].born >= 0)
      born[static_cast<std::size_t>(plan.lifetime[slot.stored.out].born)] +=
          local_bytes(update.program.type(slot.stored.out), update.program.mesh());
  std::size_t worst = 0;
  for (std::size_t i = 0; i < plan.live.size(); ++i) {
    made += born[i];  // in the place of the old weights, which count already
    if (plan.live[i] - made - given > beside) {
      beside = plan.live[i] - made - given;
      worst = i;
    }
  }
  at(held, MemoryRole::communication) += beside;
  take_peak(m, held, describe(update.program, worst));
  m.host_bytes = std::max(m.host_bytes, states.host + plan.host_peak_bytes -
                                            (plan.host_live.empty() ? 0 : plan.host_live.front()));
}

}  // namespace

StepMemory step_memory(const MicroBatch& micro, const Update& update) {
  const MemoryPlan plan = memory(micro.program);
  const std::vector<Gap> gaps = gaps_of(micro, plan);
  const States states = states_of(micro, update);
  StepMemory m;
  for (std::size_t i = 0; i < plan.by_step.size(); ++i) {
    const auto step = static_cast<std::int64_t>(i);
    BytesByRole now = plan.by_step[i] + left_out(gaps, step);
    at(now, MemoryRole::optimizer) += states.device;
    take_peak(m, now, describe(micro.program, i));
    m.host_bytes =
        std::max(m.host_bytes, states.host + plan.host_live[i] + host_left_out(gaps, step));
    if (std::holds_alternative<TokenLoss>(micro.program.steps()[i].op) && m.at_loss_bytes == 0)
      m.at_loss_bytes = sum(now);
  }
  add_update(m, micro, update, states);
  return m;
}

}  // namespace ithaca
