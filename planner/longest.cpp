#include "planner/longest.h"

#include "models/error.h"

#include <algorithm>
#include <optional>

namespace ithaca {
namespace {

struct Need {
  StepMemory memory;
  Overheads overheads;
  bool fits_gpu = false, fits_host = false;
};

class Search {
 public:
  Search(Job job, const std::string& strategy, const Mesh& mesh, const Recompute& recompute)
      : job_(std::move(job)), strategy_(strategy), mesh_(mesh), recompute_(recompute) {}

  void length(std::int64_t tokens) { job_.shape = with_tokens(job_.shape, tokens); }
  PricedStrategy price_now() const { return price(job_, strategy_, mesh_, recompute_); }

  Need need(std::int64_t tokens) {
    length(tokens);
    const Arrangement at = arrange(strategy_, mesh_, job_.shape);
    const StepPrograms step = step_of(job_, at, recompute_);
    Need n{step_memory(step.micro, step.update), overheads(count(step.micro.program)), false,
           false};
    const std::int64_t ranks = std::min<std::int64_t>(job_.cluster.gpus_per_node, at.mesh.ranks());
    n.fits_gpu = n.memory.peak_bytes + n.overheads.bytes() <= job_.cluster.gpu.memory_bytes;
    n.fits_host = ranks * n.memory.host_bytes <= job_.cluster.host_memory_bytes;
    return n;
  }
  bool fits(std::int64_t tokens) {
    try {
      const Need n = need(tokens);
      return n.fits_gpu && n.fits_host;
    } catch (const InputError&) {
      return false;  // too much work to count: beyond any memory
    }
  }

  /// The shortest length that the strategy takes: ranks that may each cut it, twice for zigzag.
  std::int64_t granularity() {
    std::optional<InputError> refused;
    for (const std::int64_t n : {1, 2, 4}) try {
        (void)need(n * mesh_.ranks());
        return n * mesh_.ranks();
      } catch (const InputError& error) {
        refused = error;
      }
    throw InputError(*refused);
  }

 private:
  Job job_;
  const std::string& strategy_;
  const Mesh& mesh_;
  const Recompute& recompute_;
};

std::string largest_term(const PricedStrategy& p) {
  const auto most = std::ranges::max_element(p.memory.by_role) - p.memory.by_role.begin();
  return name_of(static_cast<MemoryRole>(most));
}

}  // namespace

Longest longest(Job job, const std::string& strategy, const Mesh& mesh, const Recompute& recompute,
                std::int64_t most) {
  Search search(std::move(job), strategy, mesh, recompute);
  Longest found;
  found.granularity = search.granularity();
  std::int64_t fits = 0, fails = most / found.granularity + 1;  // in units of it
  if (search.fits((fails - 1) * found.granularity)) fits = fails - 1;
  for (std::int64_t probe = 1; fits + 1 < fails;) {
    const std::int64_t middle = fails > most / found.granularity && probe < fails
                                    ? probe
                                    : fits + (fails - fits) / 2;  // doubling, then halving
    (search.fits(middle * found.granularity) ? fits : fails) = middle;
    probe = 2 * middle;
  }
  found.tokens = fits * found.granularity;
  search.length(std::max(found.tokens, found.granularity));
  found.priced = search.price_now();
  found.limited_by = "length";
  if (found.tokens + found.granularity > most) return found;
  const Need next = search.need(found.tokens + found.granularity);
  found.limited_by = next.fits_gpu ? "host" : "gpu";
  found.term = next.fits_gpu ? "host copies" : largest_term(found.priced);
  return found;
}

}  // namespace ithaca
