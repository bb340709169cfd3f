#include "reports/report_data.h"

#include "models/error.h"
#include "sim/schedule.h"
#include "sim/time.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <numeric>

namespace ithaca {
namespace {

constexpr std::size_t ranked_bars = 3;

bool rings_gradients_in_bf16(const Program& p) {
  return std::ranges::any_of(p.steps(), [&](const Step& step) {
    const auto narrow = [&](ValueId v) {
      return p[v].role == Role::gradient && p.type(v).dtype == DType::bf16;
    };
    return std::holds_alternative<Shift>(step.op) && std::ranges::any_of(step.in, narrow);
  });
}

std::vector<PublishedStrategy> published_on(const Job& job) {
  std::vector<PublishedStrategy> all;
  for (const std::string& strategy : published_strategies()) {
    PublishedStrategy row{strategy, "", {}};
    try {
      row.mesh = default_mesh(strategy, job.gpus, job.shape);
      const Arrangement arrangement = arrange(strategy, row.mesh, job.shape);
      row.bf16_ring_gradients = rings_gradients_in_bf16(layer_of(job, arrangement, false).program);
    } catch (const InputError& e) {
      row.error = e.what();
    }
    all.push_back(std::move(row));
  }
  return all;
}

std::vector<VolumePoint> volume_of(Job job, const std::vector<PublishedStrategy>& published) {
  std::vector<VolumePoint> points;
  const std::vector<std::int64_t> lengths = lengths_around(job.shape.L);
  job.shape.mask = {};  // no mask changes what is sent
  for (const PublishedStrategy& row : published) {
    if (!row.error.empty()) continue;
    for (const std::int64_t seq : lengths) {
      job.shape.L = seq;
      try {
        const Arrangement arrangement = arrange(row.strategy, row.mesh, job.shape);
        const Count counted = count(layer_of(job, arrangement, false).program);
        points.push_back({row.strategy, seq, counted.sent_bytes()});
      } catch (const InputError&) {
        continue;  // a length that does not divide has no point
      }
    }
  }
  return points;
}

MemoryBar bar_of(const Job& job, const std::string& strategy, const Mesh& mesh, bool recompute) {
  const PricedStrategy p = price(job, strategy, mesh, recompute);
  return {strategy, mesh, recompute, 0, p.need.memory.by_role, p.need.overheads};
}

std::vector<MemoryBar> memory_of(const Job& job, const PlanData& data) {
  std::vector<MemoryBar> bars;
  for (std::size_t i = 0; i < std::min(ranked_bars, data.plan.ranking.size()); ++i) {
    const Choice& choice = data.plan.ranking[i].choice;
    bars.push_back(bar_of(job, choice.expression(), choice.mesh, choice.recompute));
    bars.back().rank_in_plan = static_cast<int>(i + 1);
  }
  if (job.gpus == 1) return bars;  // all published strategies are the same there
  for (const PublishedStrategy& row : data.published) {
    if (!row.error.empty()) continue;
    for (const bool recompute : {false, true})
      bars.push_back(bar_of(job, row.strategy, row.mesh, recompute));
  }
  return bars;
}

/// The text with every number as '#'.
std::string shape_of_reason(const std::string& reason) {
  std::string shape;
  for (const char c : reason) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0)
      shape += c;
    else if (shape.empty() || shape.back() != '#')
      shape += '#';
  }
  return shape;
}

std::vector<ReasonGroup> grouped_reasons(const std::vector<Infeasible>& infeasible) {
  std::vector<ReasonGroup> groups;
  std::vector<std::string> shapes;
  for (const Infeasible& choice : infeasible) {
    std::string shape = shape_of_reason(choice.reason);
    const auto it = std::ranges::find(shapes, shape);
    if (it == shapes.end()) {
      shapes.push_back(std::move(shape));
      groups.push_back({choice.reason, 1});
    } else {
      ++groups[static_cast<std::size_t>(it - shapes.begin())].choices;
    }
  }
  std::ranges::stable_sort(groups, std::ranges::greater{}, &ReasonGroup::choices);
  return groups;
}

std::size_t rank_of(const PlanFile& file, const Plan& plan) {
  for (std::size_t i = 0; i < plan.ranking.size(); ++i) {
    const Choice& choice = plan.ranking[i].choice;
    if (choice.expression() == file.strategy && choice.mesh == file.mesh &&
        Recompute(choice.recompute) == file.recompute)
      return i + 1;
  }
  return 0;
}

std::string title_of(const Program& p, const Step& step) {
  const Traffic t = traffic_of(p, step);
  std::string text = t.wire == Wire::none ? name_of(step.op) : name_of(t.wire);
  for (const ValueId v : t.wire == Wire::none ? step.out : step.in) text += ' ' + p[v].name;
  return text;
}

Layer layer_of_plan(const PlanFile& file) {
  return layer_of(file.job, arrange(file.strategy, file.mesh, file.job.shape), file.recompute);
}

}  // namespace

std::int64_t MemoryBar::peak_bytes() const {
  return std::accumulate(by_role.begin(), by_role.end(), overheads.bytes());
}

std::vector<NamedSpan> predicted_spans(const PlanFile& file) {
  const Layer layer = layer_of_plan(file);
  const Program& p = layer.program;
  const Schedule schedule =
      file.job.overlap ? overlapped(p, file.job.profile.streams) : blocking(p);
  std::vector<NamedSpan> spans;
  for (const Span& span : time(p, schedule, ClusterCost(file.job.cluster)).spans) {
    const Step& step = p.steps()[span.step];
    const Traffic t = traffic_of(p, step);
    const std::string lane = t.wire == Wire::none ? "compute" : name_of(p.mesh(), t.axes);
    spans.push_back(
        {span.rank, title_of(p, step), lane, name_of(step.phase), span.begin_s, span.end_s});
  }
  return spans;
}

PlanData plan_data(const PlanFile& file, std::size_t map_candidates) {
  const Job& job = file.job;
  PlanData data{file,      price(job, file.strategy, file.mesh, file.recompute),
                plan(job), 0,
                {},        {},
                {},        {},
                {},        {},
                {}};
  data.rank = rank_of(file, data.plan);
  data.published = published_on(job);
  data.volume = volume_of(job, data.published);
  data.best = best_map(job, map_candidates);
  data.memory = memory_of(job, data);
  data.infeasible = grouped_reasons(data.plan.infeasible);
  data.timeline = predicted_spans(file);
  data.bf16_ring_gradients = rings_gradients_in_bf16(layer_of_plan(file).program);
  return data;
}

}  // namespace ithaca
