#include "sim/memory.h"

#include "models/wire.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace ithaca {
namespace {

constexpr std::int64_t alignment = 64;
std::int64_t aligned(std::int64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// First fit into one address range.
class Arena {
 public:
  std::int64_t take(std::int64_t bytes) {
    const std::int64_t size = aligned(std::max<std::int64_t>(bytes, 1));
    std::int64_t at = 0;
    auto it = used_.begin();
    for (; it != used_.end() && it->begin < at + size; ++it) at = it->end;
    used_.insert(it, {at, at + size});
    end_ = std::max(end_, at + size);
    return at;
  }
  void give_back(std::int64_t at) { used_.erase(std::ranges::find(used_, at, &Block::begin)); }
  std::int64_t end() const { return end_; }

 private:
  struct Block {
    std::int64_t begin, end;
  };
  std::vector<Block> used_;  ///< in order of address
  std::int64_t end_ = 0;
};

bool same_bytes(const Program& p, ValueId a, ValueId b) {
  return local_bytes(p.type(a), p.mesh()) == local_bytes(p.type(b), p.mesh()) &&
         p[a].on_host == p[b].on_host;
}

std::size_t first_backward_step(const Program& p) {
  const auto it = std::ranges::find_if(p.steps(), [](const Step& s) {
    return s.phase == Phase::backward || s.phase == Phase::recompute;
  });
  return static_cast<std::size_t>(it - p.steps().begin());
}

/// An update uses up what it is given: its results take the place.
bool replaces_inputs(const Program& p) {
  return !p.steps().empty() && p.steps().front().phase == Phase::update;
}

bool is_input(const Lifetime& life) {
  return life.born < 0;
}

MemoryRole role_of(const Program& p, ValueId v, const Lifetime& life, std::int64_t border) {
  if (p[v].role == Role::weight_gradient) return MemoryRole::gradients;
  if (p[v].role == Role::weight)
    return is_input(life) ? MemoryRole::weights : MemoryRole::communication;
  const auto steps = static_cast<std::int64_t>(p.steps().size());
  const bool crosses = life.born < border && life.dies >= border && life.dies < steps;
  if (crosses && p[v].role == Role::activation) return MemoryRole::saved;
  if (is_input(life)) return MemoryRole::transient;
  const Step& maker = p.steps()[static_cast<std::size_t>(life.born)];
  return traffic_of(p, maker).wire == Wire::none ? MemoryRole::transient
                                                 : MemoryRole::communication;
}

class Planner {
 public:
  explicit Planner(const Program& p) : p_(p) {
    plan_.lifetime = lifetimes(p);
    const auto border = static_cast<std::int64_t>(first_backward_step(p));
    for (ValueId v = 0; v < p.values().size(); ++v)
      plan_.role.push_back(role_of(p, v, plan_.lifetime[v], border));
    plan_.offset.assign(p.values().size(), -1);
    plan_.scratch.assign(p.steps().size(), -1);
    dying_.resize(p.steps().size() + 1);
    for (ValueId v = 0; v < p.values().size(); ++v)
      if (plan_.lifetime[v].dies >= 0)
        dying_[static_cast<std::size_t>(plan_.lifetime[v].dies)].push_back(v);
  }

  MemoryPlan plan() && {
    for (const ValueId v : p_.inputs()) place(v);
    plan_.peak_bytes = std::accumulate(held_.begin(), held_.end(), std::int64_t{0});
    plan_.host_peak_bytes = host_held_;
    for (std::size_t i = 0; i < p_.steps().size(); ++i) step(i);
    plan_.arena_bytes = arena_.end();
    plan_.host_arena_bytes = host_.end();
    return std::move(plan_);
  }

 private:
  std::int64_t bytes(ValueId v) const { return local_bytes(p_.type(v), p_.mesh()); }
  Arena& arena_of(ValueId v) { return p_[v].on_host ? host_ : arena_; }

  void place(ValueId v) {
    const ValueId source = plan_.lifetime[v].takes_over;
    plan_.offset[v] = source == no_value ? arena_of(v).take(bytes(v)) : plan_.offset[source];
    hold(v, +1);
  }
  void hold(ValueId v, std::int64_t sign) {
    if (p_[v].on_host) {
      host_held_ += sign * bytes(v);
      return;
    }
    held_[static_cast<std::size_t>(plan_.role[v])] += sign * bytes(v);
  }

  void step(std::size_t i) {
    const Step& s = p_.steps()[i];
    for (const ValueId v : s.out) {
      const ValueId source = plan_.lifetime[v].takes_over;
      if (source != no_value) hold(source, -1);
      place(v);
    }
    const std::int64_t scratch = scratch_of(p_, s).bytes();
    if (scratch > 0) plan_.scratch[i] = arena_.take(scratch);
    observe(i, scratch);
    if (scratch > 0) arena_.give_back(plan_.scratch[i]);
    for (const ValueId v : dying_[i]) release(v);
    plan_.after.push_back(held_);
    plan_.host_after.push_back(host_held_);
  }

  void observe(std::size_t i, std::int64_t scratch) {
    BytesByRole now = held_;
    now[static_cast<std::size_t>(MemoryRole::communication)] += scratch;
    plan_.by_step.push_back(now);
    plan_.live.push_back(std::accumulate(now.begin(), now.end(), std::int64_t{0}));
    plan_.host_peak_bytes = std::max(plan_.host_peak_bytes, host_held_);
    plan_.host_live.push_back(host_held_);
    if (plan_.live.back() <= plan_.peak_bytes) return;
    plan_.peak_bytes = plan_.live.back();
    plan_.peak_step = i;
  }

  void release(ValueId v) {
    const auto& step_out = p_.steps()[static_cast<std::size_t>(plan_.lifetime[v].dies)].out;
    const bool passed_on =
        std::ranges::any_of(step_out, [&](ValueId o) { return plan_.lifetime[o].takes_over == v; });
    if (passed_on) return;
    hold(v, -1);
    arena_of(v).give_back(plan_.offset[v]);
  }

  const Program& p_;
  MemoryPlan plan_;
  Arena arena_, host_;
  BytesByRole held_{};
  std::int64_t host_held_ = 0;
  std::vector<std::vector<ValueId>> dying_;
};

}  // namespace

const char* name_of(MemoryRole role) {
  constexpr std::array names{"weights", "gradients", "optimizer",
                             "saved",   "transient", "communication"};
  return names[static_cast<std::size_t>(role)];
}

int reused_operand(const Program& p, const Step& step, std::size_t result) {
  const bool one_each = (result < 2 && std::holds_alternative<Merge>(step.op)) ||
                        (result < 3 && std::holds_alternative<Adam>(step.op));
  if (result > 0 && !one_each) return -1;
  const bool first_operand =
      one_each ||
      std::visit(
          match{[](const Add&) { return true; }, [](const Bias&) { return true; },
                [](const Rope&) { return true; }, [](const Normalize&) { return true; },
                [](const NormalizeGrad&) { return true; }, [](const ActivateGrad&) { return true; },
                [](const Multiply&) { return true; }, [](const LogSoftmax&) { return true; },
                [](const Cast&) { return true; }, [&](const Put&) { return step.in.size() == 2; },
                [](const auto&) { return false; }},
          step.op);
  const bool sums = std::holds_alternative<Einsum>(step.op) && step.in.size() > 2;
  if (sums) return same_bytes(p, step.in[2], step.out[0]) ? 2 : -1;
  if (!first_operand) return -1;
  // The gradient of a gated activation is as large as what it was computed from.
  const bool second =
      std::holds_alternative<ActivateGrad>(step.op) && !same_bytes(p, step.in[0], step.out[0]);
  const std::size_t operand = second ? 1 : result;
  return same_bytes(p, step.in[operand], step.out[result]) ? static_cast<int>(operand) : -1;
}

std::vector<Lifetime> lifetimes(const Program& p) {
  std::vector<Lifetime> life(p.values().size());
  const auto steps = static_cast<std::int64_t>(p.steps().size());
  for (std::int64_t i = 0; i < steps; ++i) {
    const Step& s = p.steps()[static_cast<std::size_t>(i)];
    for (const ValueId v : s.in) life[v].dies = i;
    for (const ValueId v : s.out) life[v].born = life[v].dies = i;
  }
  for (const ValueId v : p.inputs())
    if ((p[v].role == Role::weight && !replaces_inputs(p)) || life[v].dies < 0)
      life[v].dies = steps;
  for (const ValueId v : p.outputs()) life[v].dies = steps;
  for (const Program::Hold& hold : p.holds())
    life[hold.value].dies = std::max(life[hold.value].dies, life[hold.with].dies);
  for (std::int64_t i = 0; i < steps; ++i) {
    const Step& s = p.steps()[static_cast<std::size_t>(i)];
    for (std::size_t r = 0; r < s.out.size(); ++r) {
      const int operand = reused_operand(p, s, r);
      if (operand < 0) continue;
      const ValueId v = s.in[static_cast<std::size_t>(operand)];
      if (life[v].dies == i && std::ranges::count(s.in, v) == 1) life[s.out[r]].takes_over = v;
    }
  }
  return life;
}

MemoryPlan memory(const Program& p) {
  return Planner(p).plan();
}

}  // namespace ithaca
