#include "planner/longest.h"

#include "models/error.h"

#include <algorithm>
#include <optional>

namespace ithaca {
namespace {

std::string largest_term(const PricedStrategy& p) {
  const auto most = std::ranges::max_element(p.need.memory.by_role) - p.need.memory.by_role.begin();
  return name_of(static_cast<MemoryRole>(most));
}

class Search {
 public:
  Search(Job job, const std::string& strategy, const Mesh& mesh, const Recompute& recompute)
      : job_(std::move(job)), strategy_(strategy), mesh_(mesh), recompute_(recompute) {}

  void length(std::int64_t tokens) { job_.shape = with_tokens(job_.shape, tokens); }
  PricedStrategy price_now() const { return price(job_, strategy_, mesh_, recompute_); }

  Need need(std::int64_t tokens) {
    length(tokens);
    return need_of(job_, arrange(strategy_, mesh_, job_.shape), recompute_);
  }
  bool fits(std::int64_t tokens) {
    try {
      const Need n = need(tokens);
      return n.fits_gpu(job_.cluster) && n.fits_host(job_.cluster);
    } catch (const InputError&) {
      return false;  // too much work to count: beyond any memory
    }
  }

  /// What a length that does not fit is too long for.
  void explain(Longest& found, std::int64_t tokens) {
    try {
      found.limited_by = need(tokens).fits_gpu(job_.cluster) ? "host" : "gpu";
      found.term = found.limited_by == "host" ? "host copies" : largest_term(found.priced);
    } catch (const InputError& error) {
      found.term = error.what();
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

}  // namespace

Longest longest(Job job, const std::string& strategy, const Mesh& mesh, const Recompute& recompute,
                std::int64_t most) {
  Search search(std::move(job), strategy, mesh, recompute);
  Longest found;
  found.granularity = search.granularity();
  std::int64_t fits = 0, fails = most / found.granularity + 1;  // in units of it
  while (fits + 1 < fails) {
    const std::int64_t middle = fits + (fails - fits) / 2;
    (search.fits(middle * found.granularity) ? fits : fails) = middle;
  }
  found.tokens = fits * found.granularity;
  search.length(std::max(found.tokens, found.granularity));
  found.priced = search.price_now();
  found.limited_by = "length";
  if (found.tokens + found.granularity <= most)
    search.explain(found, found.tokens + found.granularity);
  return found;
}

}  // namespace ithaca
