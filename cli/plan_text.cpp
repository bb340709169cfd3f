#include "cli/plan_text.h"

#include "cli/json.h"
#include "cli/text.h"
#include "models/error.h"
#include "reports/error_bands.h"
#include "reports/format.h"
#include "reports/text_table.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <map>
#include <set>

namespace ithaca {
namespace {

Json choice_json(const Choice& c) {
  return {{"attention", c.attention()},
          {"mlp", c.mlp()},
          {"strategy", c.expression()},
          {"mesh", mesh_json(c.mesh)},
          {"recompute", text_of(Recompute(c.recompute))}};
}

Json ranked_json(const Ranked& r) {
  Json json = choice_json(r.choice);
  json["step_s"] = r.step_s;
  json["compute_s"] = r.compute_s;
  json["exposed_comm_s"] = r.exposed_comm_s;
  json["peak_bytes"] = r.peak_bytes;
  json["sent_bytes"] = r.sent_bytes;
  return json;
}

/// Words on lines of at most 120 columns, the first and later ones indented.
std::string paragraph(std::size_t first, std::size_t later, const std::string& words) {
  return std::string(first, ' ') + wrapped(words, 120 - first, later) + '\n';
}

std::string described(const Choice& c) {
  return fmt::format("{} on {}, recompute {}", c.expression(), mesh_text(c.mesh),
                     text_of(Recompute(c.recompute)));
}

/// An expression in a column: halves on lines of their own, and long ones wrapped.
std::vector<std::string> column_of(const Choice& c) {
  constexpr std::size_t width = 41;
  std::string text = wrapped(c.attention(), width, 2) + '\n';
  if (!c.one_half()) text += wrapped("| " + c.mlp(), width, 2) + '\n';
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    lines.push_back(text.substr(at, text.find('\n', at) - at));
  return lines;
}

/// The best and, of every kind of attention that uses one axis only, the best of it.
std::string why_text(const Plan& plan) {
  const Ranked& best = plan.ranking.front();
  std::string text;
  const auto line = [&](const std::string& who, const Ranked& other) {
    text += paragraph(2, 6, fmt::format("{}: {}", who, explain(best, other)));
    text += paragraph(6, 8, described(other.choice));
  };
  if (plan.ranking.size() > 1) line("runner-up", plan.ranking[1]);
  std::set<const StrategyRow*> seen;
  const auto is_new = [&](const Half& half) {
    return half.size() == 1 && seen.insert(half[0].row).second;
  };
  is_new(best.choice.attention_half);
  for (const Ranked& r : plan.ranking)
    if (const Half& half = r.choice.attention_half; is_new(half))
      line(fmt::format("best {}", half[0].row->name), r);
  for (const Infeasible& i : plan.infeasible)
    if (const Half& half = i.choice.attention_half; is_new(half))
      text += paragraph(2, 6, fmt::format("no {} is feasible: {}", half[0].row->name, i.reason));
  return text;
}

std::string ranking_text(const Plan& plan, std::size_t most) {
  using enum Align;
  TextTable table({{"", right},
                   {"step", right},
                   {"compute", right},
                   {"exposed", right},
                   {"peak", right},
                   {"sent", right},
                   {"recompute", left},
                   {"mesh", left},
                   {"attention | MLP", left}});
  for (std::size_t n = 0; n < std::min(most, plan.ranking.size()); ++n) {
    const Ranked& r = plan.ranking[n];
    const std::vector<std::string> lines = column_of(r.choice);
    table.add({fmt::format("{}", n + 1), seconds_text(r.step_s), seconds_text(r.compute_s),
               seconds_text(r.exposed_comm_s), binary_bytes(r.peak_bytes),
               decimal_bytes(r.sent_bytes), text_of(Recompute(r.choice.recompute)),
               mesh_text(r.choice.mesh), lines.front()});
    for (std::size_t l = 1; l < lines.size(); ++l)
      table.add({"", "", "", "", "", "", "", "", lines[l]});
  }
  return table.text(2);
}

/// A reason without its numbers, so that reasons of one kind meet.
std::string kind_of(const std::string& reason) {
  std::string kind;
  for (const char c : reason)
    if (std::isdigit(static_cast<unsigned char>(c)) == 0)
      kind += c;
    else if (kind.empty() || kind.back() != '#')
      kind += '#';
  return kind;
}

std::string infeasible_text(const Plan& plan) {
  struct Group {
    std::size_t choices = 0;
    const Infeasible* example = nullptr;
  };
  std::map<std::string, Group> groups;
  for (const Infeasible& i : plan.infeasible) {
    Group& group = groups[kind_of(i.reason)];
    if (group.choices++ == 0) group.example = &i;
  }
  std::vector<Group> sorted;
  for (const auto& [kind, group] : groups) sorted.push_back(group);
  std::ranges::stable_sort(sorted, std::ranges::greater{}, &Group::choices);
  std::string text;
  for (const Group& g : sorted) {
    const Choice& c = g.example->choice;
    text += paragraph(2, 9, fmt::format("{:>5}  {}", g.choices, g.example->reason));
    text += paragraph(9, 11, "such as " + described(c));
  }
  return text;
}

/// The choice that needs least of what it lacks.
const Infeasible* least_of(const Plan& plan, std::optional<std::int64_t> Infeasible::*bytes) {
  const Infeasible* least = nullptr;
  for (const Infeasible& i : plan.infeasible)
    if (i.*bytes && (least == nullptr || *(i.*bytes) < *(least->*bytes))) least = &i;
  return least;
}

}  // namespace

Json plan_json(const Job& job, const Plan& plan) {
  Json ranking = Json::array(), infeasible = Json::array();
  for (const Ranked& r : plan.ranking) ranking.push_back(ranked_json(r));
  for (const Infeasible& i : plan.infeasible) {
    infeasible.push_back(choice_json(i.choice));
    infeasible.back()["reason"] = i.reason;
  }
  return {{"schema", "ithaca/1"},
          {"model", job.model},
          {"shape", shape_json(job.shape)},
          {"layers", job.layers},
          {"cluster", job.cluster.name},
          {"gpus", job.gpus},
          {"capacity_bytes", job.cluster.gpu.memory_bytes},
          {"host_capacity_bytes", job.cluster.host_memory_bytes},
          {"schedule", job.overlap ? "overlapped" : "blocking"},
          {"profile", std::string(job.profile.name)},
          {"adapter_rank", job.adapter_rank},
          {"forward_only", job.forward_only},
          {"recipe", std::string(job.recipe.name)},
          {"micro_batches", job.micro_batches},
          {"levers", levers_json(job.levers)},
          {"step_band",
           ranking.empty() ? Json(nullptr)
                           : band_json(shipped_band(job.cluster.gpu), plan.ranking.front().step_s)},
          {"best", ranking.empty() ? Json(nullptr) : ranking.front()},
          {"ranking", ranking},
          {"infeasible", infeasible},
          {"candidates", plan.candidates},
          {"wall_s", plan.wall_s}};
}

std::string plan_text(const Job& job, const Plan& plan, std::size_t most) {
  const Ranked& best = plan.ranking.front();
  std::string text =
      fmt::format("{} on {} x {} ({} each), schedule {}{}{}\n{}, {} layers\n\n", job.model,
                  job.gpus, job.cluster.gpu.name, binary_bytes(job.cluster.gpu.memory_bytes),
                  job.overlap ? "overlapped" : "blocking", levers_text(job.levers),
                  conditions_text(job), shape_text(job.shape), job.layers);
  text += paragraph(0, 2,
                    fmt::format("Best of {} choices ({:.1f} s): {}", plan.candidates, plan.wall_s,
                                described(best.choice)));
  text += fmt::format("  step {}{}, of it {} exposed communication; peak {}; {} sent per layer\n",
                      seconds_text(best.step_s), band_text(shipped_band(job.cluster.gpu)),
                      seconds_text(best.exposed_comm_s), binary_bytes(best.peak_bytes),
                      decimal_bytes(best.sent_bytes));
  text += "\nWhy not another\n\n" + why_text(plan);
  text += fmt::format("\nRanking, {} of {} that fit\n\n", std::min(most, plan.ranking.size()),
                      plan.ranking.size());
  text += ranking_text(plan, most);
  if (!plan.infeasible.empty())
    text += fmt::format("\n{} infeasible, by reason\n\n", plan.infeasible.size()) +
            infeasible_text(plan);
  return text;
}

std::string why_nothing_fits(const Job& job, const Plan& plan) {
  const Infeasible* const least = least_of(plan, &Infeasible::peak_bytes);
  if (const Infeasible* const host = least_of(plan, &Infeasible::host_bytes); host != nullptr)
    return fmt::format(
        "no feasible plan: what fits the GPU needs at least {} in the host memory of a node ({}, "
        "recompute {}), capacity is {}; leave more on the GPU, or use more nodes",
        binary_bytes(*host->host_bytes), host->choice.expression(),
        text_of(Recompute(host->choice.recompute)), binary_bytes(job.cluster.host_memory_bytes));
  if (least == nullptr)
    return fmt::format(
        "no feasible plan: none of {} choices is possible for this shape, such as {}: {}",
        plan.candidates, plan.infeasible.front().choice.expression(),
        plan.infeasible.front().reason);
  return fmt::format(
      "no feasible plan: the least memory any of {} choices needs is {} ({}, recompute {}), "
      "capacity "
      "is {}; use more GPUs, fewer tokens or a smaller batch",
      plan.candidates, binary_bytes(*least->peak_bytes), least->choice.expression(),
      text_of(Recompute(least->choice.recompute)), binary_bytes(job.cluster.gpu.memory_bytes));
}

}  // namespace ithaca
