#include "planner/longest.h"

#include "cli/json.h"
#include "cli/options.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "models/error.h"
#include "reports/format.h"
#include "reports/text_table.h"

#include <fmt/format.h>
#include <numeric>

namespace ithaca {
namespace {

/// What was allowed to be given up.
Json levers_json(const Job& job, const Recompute& recompute) {
  Json json{{"recompute", text_of(recompute)}};
  json.update(levers_json(job.levers));
  json["recipe"] = std::string(job.recipe.name);
  return json;
}

class LongestVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    add_pricing_options(*app_, o_);
    app_->footer(
        "Levers that are not given are all allowed: full recompute, tiles, host memory.\n"
        "Example:\n  ithaca longest --model llama-3.1-8b --cluster dgx-h100 --gpus 8");
  }

  int run(Console& console) override {
    if (!o_.seq.empty()) throw InputError("--seq", "expected nothing, it is what is looked for");
    take_default(o_.cluster, "dgx-h100", "--cluster", console);
    o_.seq = "1";
    allow_all();
    Job job = job_of(o_, console);
    const Recompute recompute = recomputes(o_);
    const Mesh mesh = choose_mesh(job);
    const Longest found = longest(job, o_.strategy, mesh, recompute);
    console.result(o_.json ? text_of(json_of(found, job, recompute)) : text(found, job, recompute),
                   o_.output);
    return found.tokens > 0 ? Exit::ok : Exit::infeasible;
  }

 private:
  /// Every lever, unless some were named.
  void allow_all() {
    const bool named = !o_.recompute.empty() || !o_.mlp_tiles.empty() || !o_.loss_tiles.empty() ||
                       o_.offload || o_.optimizer_offload || o_.weights_offload;
    if (named) return;
    o_.recompute = "full";
    o_.mlp_tiles = o_.loss_tiles = "auto";
    o_.offload = o_.optimizer_offload = o_.weights_offload = true;
  }

  /// Ulysses over as many ranks as there are heads for, a ring around it for the rest; ZeRO-3 over all.
  Mesh choose_mesh(const Job& job) {
    if (!o_.strategy.empty())
      return o_.mesh.empty() ? default_mesh(o_.strategy, job.gpus, job.shape) : parse_mesh(o_.mesh);
    const auto ulysses = static_cast<int>(std::gcd(job.shape.h(), std::int64_t{job.gpus}));
    if (ulysses == job.gpus) {
      o_.strategy = "ulysses_zero3(u)";
      return Mesh({{"u", job.gpus}});
    }
    o_.strategy = ulysses == 1 ? "ring_zigzag_zero3(r)" : "ring_zigzag_zero3(r) * ulysses_zero3(u)";
    if (ulysses == 1) return Mesh({{"r", job.gpus}});
    return Mesh({{"r", job.gpus / ulysses}, {"u", ulysses}});
  }

  static Json memory_json(const Longest& l, const Job& job) {
    return {{"peak_bytes", l.priced.peak_bytes()},
            {"capacity_bytes", job.cluster.gpu.memory_bytes},
            {"by_role", by_role_json(l.priced.need.memory.by_role)},
            {"host_bytes_per_node", l.priced.need.host_bytes_per_node(job.cluster)},
            {"host_capacity_bytes", job.cluster.host_memory_bytes}};
  }

  static Json json_of(const Longest& l, const Job& job, const Recompute& recompute) {
    return {{"schema", "ithaca/1"},
            {"model", job.model},
            {"cluster", job.cluster.name},
            {"gpus", job.gpus},
            {"strategy", l.priced.arrangement.name},
            {"mesh", mesh_json(l.priced.arrangement.mesh)},
            {"profile", std::string(job.profile.name)},
            {"adapter_rank", job.adapter_rank},
            {"forward_only", job.forward_only},
            {"longest", l.tokens},
            {"granularity", l.granularity},
            {"limited_by", l.limited_by},
            {"term", l.term},
            {"levers", levers_json(job, recompute)},
            {"memory", memory_json(l, job)}};
  }

  static std::string text(const Longest& l, const Job& job, const Recompute& recompute) {
    const PricedStrategy& p = l.priced;
    std::string text =
        fmt::format("{} on {} x {}: {} on {}\n  recompute {}{}{}\n\n", job.model, job.gpus,
                    job.cluster.gpu.name, p.arrangement.name, to_string(p.arrangement.mesh),
                    text_of(recompute), levers_text(job.levers), conditions_text(job));
    if (l.tokens == 0)
      return text + fmt::format("  not even {} tokens fit: {} of {} are needed, most of it {}\n",
                                l.granularity, binary_bytes(p.peak_bytes()),
                                binary_bytes(job.cluster.gpu.memory_bytes), l.term);
    text += fmt::format("  longest sequence {} tokens, a multiple of {}\n", grouped(l.tokens),
                        l.granularity);
    text += fmt::format("  GPU   {} of {} at {}\n", binary_bytes(p.peak_bytes()),
                        binary_bytes(job.cluster.gpu.memory_bytes), p.need.memory.where);
    text += fmt::format("  host  {} of {} a node\n",
                        binary_bytes(p.need.host_bytes_per_node(job.cluster)),
                        binary_bytes(job.cluster.host_memory_bytes));
    if (l.limited_by == "length")
      return text + (l.term.empty() ? "  nothing limits it within what was tried\n"
                                    : fmt::format("  a longer one is refused: {}\n", l.term));
    return text + fmt::format("  limited by {} memory, most of it {}\n",
                              l.limited_by == "gpu" ? "GPU" : "host", l.term);
  }

  Options o_;
};

}  // namespace

std::unique_ptr<Verb> make_longest(CLI::App& root) {
  auto verb = std::make_unique<LongestVerb>(root.add_subcommand(
      "longest", "The longest sequence that fits, and what stands in the way of a longer one"));
  verb->define();
  return verb;
}

}  // namespace ithaca
