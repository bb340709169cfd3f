#include "planner/plan.h"

#include "models/error.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <tuple>

namespace ithaca {
namespace {

constexpr double gib = 1024.0 * 1024.0 * 1024.0;

std::string too_large(const PricedStrategy& p, std::int64_t capacity_bytes) {
  std::size_t most = 0;
  for (std::size_t r = 1; r < memory_roles; ++r)
    if (p.need.memory.by_role[r] > p.need.memory.by_role[most]) most = r;
  return fmt::format("needs {:.1f} GiB of {:.1f} GiB, most of it {} ({:.1f} GiB)",
                     static_cast<double>(p.peak_bytes()) / gib,
                     static_cast<double>(capacity_bytes) / gib,
                     name_of(static_cast<MemoryRole>(most)),
                     static_cast<double>(p.need.memory.by_role[most]) / gib);
}

std::string too_large_for_host(const Job& job, std::int64_t bytes) {
  return fmt::format("needs {:.1f} GiB of {:.1f} GiB in the host memory of a node",
                     static_cast<double>(bytes) / gib,
                     static_cast<double>(job.cluster.host_memory_bytes) / gib);
}

void consider(Plan& plan, const Job& job, const Choice& choice) {
  try {
    const PricedStrategy p = price(job, choice.expression(), choice.mesh, choice.recompute);
    const std::int64_t host = p.need.host_bytes_per_node(job.cluster);
    if (!p.need.fits_gpu(job.cluster))
      plan.infeasible.push_back(
          {choice, too_large(p, job.cluster.gpu.memory_bytes), p.peak_bytes(), {}});
    else if (!p.need.fits_host(job.cluster))
      plan.infeasible.push_back({choice, too_large_for_host(job, host), {}, host});
    else
      plan.ranking.push_back({choice, p.time.step_s, p.time.compute_s, p.time.exposed_comm_s,
                              p.peak_bytes(), p.count.sent_bytes().total()});
  } catch (const InputError& e) {
    plan.infeasible.push_back({choice, e.what(), {}, {}});
  }
}

}  // namespace

Plan plan(const Job& job) {
  const auto start = std::chrono::steady_clock::now();
  Plan plan;
  const std::vector<Choice> all = choices(job.gpus, job.shape.b, job.cluster.island_gpus());
  plan.candidates = all.size();
  for (const Choice& choice : all) consider(plan, job, choice);
  const auto key = [](const Ranked& r) { return std::tuple(r.step_s, r.peak_bytes, r.sent_bytes); };
  std::ranges::stable_sort(plan.ranking, {}, key);
  plan.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return plan;
}

std::string explain(const Ranked& best, const Ranked& other) {
  return fmt::format(
      "{:.1f} ms slower: {:+.1f} ms compute, {:+.1f} ms exposed communication, {:+.2f} GB sent per "
      "layer, {:+.1f} GiB memory",
      1e3 * (other.step_s - best.step_s), 1e3 * (other.compute_s - best.compute_s),
      1e3 * (other.exposed_comm_s - best.exposed_comm_s),
      static_cast<double>(other.sent_bytes - best.sent_bytes) / 1e9,
      static_cast<double>(other.peak_bytes - best.peak_bytes) / gib);
}

}  // namespace ithaca
