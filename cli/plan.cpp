#include "cli/options.h"
#include "cli/plan_text.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "models/error.h"
#include "planner/plan_file.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace ithaca {
namespace {

PlanFile file_of(const Job& job, const std::string& cluster, const Ranked& best) {
  PlanFile file;
  file.job = job;
  // A file is named so that the plan can be read from any folder.
  file.cluster = std::ranges::binary_search(cluster_names(), cluster)
                     ? cluster
                     : std::filesystem::absolute(cluster).string();
  file.strategy = best.choice.expression();
  file.mesh = best.choice.mesh;
  file.recompute = best.choice.recompute;
  file.job.levers.offload &= file.recompute.full;
  file.step_s = best.step_s;
  file.peak_bytes = best.peak_bytes;
  file.sent_bytes = best.sent_bytes;
  return file;
}

class PlanVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    add_model_options(*app_, o_);
    add_cluster_options(*app_, o_);
    add_step_options(*app_, o_);
    app_->add_option("--schedule", o_.schedule, "overlapped or blocking (overlapped)")
        ->type_name("HOW");
    app_->add_flag("--all", all_, "the whole ranking, not its first ten");
    app_->add_flag("--json", o_.json, "for scripts, schema ithaca/1");
    app_->add_option("-o,--output", o_.output, "write the best as plan.yaml")->type_name("FILE");
    app_->footer(
        "Example:\n  ithaca plan --model llama-3.1-8b --cluster dgx-a100-80g --gpus 8 --seq 128k "
        "-o plan.yaml\n  ithaca plan -L 32k -d 4096 -i 14336 -N 8 --kv-heads 8 --cluster dgx-h100");
  }

  int run(Console& console) override {
    const Job job = job_of(o_, console);
    const Plan plan = planned(job, console);
    if (plan.ranking.empty()) return nothing_fits(job, plan, console);
    const Ranked& best = plan.ranking.front();
    if (job.vocabulary == 0)
      console.note("no --model: layers only, without embedding, head and loss");
    if (rings_in_bf16(arrange(best.choice.expression(), best.choice.mesh, job.shape)))
      console.note(bf16_ring_note());
    if (!o_.output.empty()) {
      write_file(o_.output, to_yaml(file_of(job, o_.cluster, best)));
      console.note(fmt::format("{} written, next: ithaca run {} --scale 8 --seq {}", o_.output,
                               o_.output, 64 * job.gpus));
    }
    constexpr std::size_t first = 10;
    console.result(o_.json ? text_of(plan_json(job, plan))
                           : plan_text(job, plan, all_ ? plan.ranking.size() : first));
    return Exit::ok;
  }

 private:
  static Plan planned(const Job& job, Console& console) {
    const Progress progress(
        console, fmt::format("pricing {} choices",
                             choices(job.gpus, job.shape.b, job.cluster.island_gpus()).size()));
    return plan(job);
  }

  int nothing_fits(const Job& job, const Plan& plan, Console& console) const {
    console.forget_notes();
    if (o_.json) console.result(text_of(plan_json(job, plan)));
    console.complain(why_nothing_fits(job, plan));
    return Exit::infeasible;
  }

  Options o_;
  bool all_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_plan(CLI::App& root) {
  auto verb = std::make_unique<PlanVerb>(root.add_subcommand(
      "plan", "The best strategy for a model on a cluster, the ranking, and why others fell out"));
  verb->define();
  return verb;
}

}  // namespace ithaca
