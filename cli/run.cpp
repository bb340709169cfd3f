#include "cli/options.h"
#include "cli/run_json.h"
#include "cli/text.h"
#include "cli/train_run.h"
#include "cli/twin.h"
#include "cli/verb.h"
#include "models/error.h"
#include "models/model_yaml.h"
#include "models/units.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

constexpr double gib = 1024.0 * 1024.0 * 1024.0;
constexpr int most_ranks = 256;  // threads of one process

/// Threads' stacks, buffers on their way between ranks, and everybody else on the machine.
std::int64_t spared(std::int64_t available_bytes) {
  return available_bytes / 10 + (std::int64_t{256} << 20);
}

class RunVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    app_->add_option("PLAN", plan_, "a plan.yaml")->type_name("");
    const auto add = [&](const char* flag, std::string& text, const char* type, const char* help) {
      app_->add_option(flag, text, help)->type_name(type);
    };
    add("--communicator", communicator_, "HOW", "threads");
    add("--device", device_, "HOW", "cpu");
    add("--dtype", dtype_, "f64|f32", "precision of the run (f64)");
    add("--scale", scale_, "K", "divide d, i and the head dimension; same heads and strategy (1)");
    add("-L,--seq", seq_, "TOKENS", "tokens of a sample (the plan's)");
    add("--layers", layers_, "N",
        "layers to run, each verified on its own (1); to train (the plan's)");
    add("--cluster", cluster_, "FILE",
        "this machine as `ithaca calibrate` measured it: predict the time too");
    add_train_options(*app_, training_);
    app_->add_flag("--json", json_, "for scripts, schema ithaca/1");
    add("-o,--output", output_, "FILE", "write run.json");
    app_->footer(
        "Example:\n  ithaca run plan.yaml --scale 8 --seq 4k -o run.json\n"
        "  ithaca run plan.yaml --seq 1k --dtype f32\n"
        "  ithaca run plan.yaml --seq 1k --layers 5 --cluster this-machine.yaml\n"
        "  ithaca run plan.yaml --scale 8 --seq 256 --layers 2 --steps 100 --data book.txt --csv "
        "loss.csv");
  }

  int run(Console& console) override {
    if (training_.steps.empty()) check_not_training(training_);
    if (!training_.steps.empty() && !cluster_.empty())
      throw InputError("--cluster",
                       "expected it without --steps: the time of a layer is "
                       "predicted, not yet that of training");
    TwinRun twin = prepared(console);
    if (!output_.empty()) check_writable(output_);
    if (!training_.steps.empty()) return run_training(std::move(twin), console);
    if (twin.plan.job.adapter_rank > 0 || twin.plan.job.forward_only)
      console.note("the run is of a whole layer, forward and backward, all weights trained");
    check_twin_memory(twin);
    const std::int64_t layers =
        layers_.empty() ? 1 : whole(layers_, "--layers", 1, SizeLimits::layers);
    execute(twin, layers, console);
    if (!output_.empty()) {
      write_file(output_, text_of(run_json(twin)));
      console.note(
          fmt::format("{} written, next: ithaca report {} {} -o report", output_, plan_, output_));
    }
    console.result(json_ ? text_of(run_json(twin)) : run_text(twin));
    if (twin.verified()) return Exit::ok;
    console.complain(why_unverified(twin));
    return Exit::unverified;
  }

 private:
  int run_training(TwinRun twin, Console& console) const {
    const TrainJob job = train_job(training_, std::move(twin), layers_);
    check_memory(job, most_bytes());
    const TrainRun done = train(job, console);
    if (!output_.empty()) {
      write_file(output_, text_of(train_json(done)));
      console.note(fmt::format("{} written", output_));
    }
    console.result(json_ ? text_of(train_json(done)) : train_text(done));
    if (done.verified()) return Exit::ok;
    console.complain(why_unverified(done));
    return Exit::unverified;
  }

  static std::int64_t most_bytes() {
    const std::int64_t available = available_bytes();
    return std::max<std::int64_t>(available - spared(available), 0);
  }

  TwinRun prepared(Console& console) const {
    if (plan_.empty()) throw InputError("ithaca run", "expected a plan.yaml, got nothing");
    (void)one_of(communicator_, "--communicator", {"threads"});
    (void)one_of(device_, "--device", {"cpu"});
    const DType dtype =
        one_of(dtype_, "--dtype", {"f64", "f32"}) == "f64" ? DType::f64 : DType::f32;
    const std::int64_t scale =
        scale_.empty() ? 1 : whole(scale_, "--scale", 1, SizeLimits::head_dim);
    PlanFile plan = load_plan(plan_);
    if (plan.job.gpus > most_ranks)
      throw InputError("--communicator", fmt::format("expected a plan for at most {} thread ranks, "
                                                     "got {}",
                                                     most_ranks, plan.job.gpus));
    LayerShape shape = twin_of(plan.job.shape, scale);
    if (!seq_.empty()) shape = with_tokens(shape, token_count(seq_, "--seq"));
    if (!seq_.empty() && fmt::format("{}", shape.L) != seq_)
      console.note(fmt::format("--seq {} = {} tokens", seq_, shape.L));
    if (!is_reference(plan.job.profile))
      console.note(fmt::format("the plan prices {}, the run has this project's own kernels",
                               plan.job.profile.name));
    Arrangement at = arrange(plan.strategy, plan.mesh, shape);
    if (rings_in_bf16(at)) console.note(bf16_ring_note());
    const std::int64_t at_ranks = at.mesh.ranks();
    return {std::move(plan), shape, std::move(at), dtype, scale, {}, calibrated(console, at_ranks)};
  }

  /// The machine of --cluster, if any.
  std::optional<Cluster> calibrated(Console& console, std::int64_t ranks) const {
    if (cluster_.empty()) return std::nullopt;
    Cluster cluster = load_cluster(cluster_);
    if (cluster.gpu.kernels.measured.empty())
      throw InputError("--cluster",
                       fmt::format("expected a file that `ithaca calibrate` wrote, got "
                                   "{}, whose kernels are not of this machine",
                                   cluster.name));
    const int most = cluster.gpu.kernels.measured.at_once.back().ranks;
    if (ranks > most)
      console.note(
          fmt::format("{} was calibrated for up to {} ranks, the time of {} is a guess, "
                      "use ithaca calibrate --ranks {}",
                      cluster.name, most, ranks, ranks));
    return cluster;
  }

  /// A run that does not fit would be killed half-way.
  void check_twin_memory(const TwinRun& twin) const {
    const std::int64_t most = most_bytes();
    const auto needs = [&](const LayerShape& shape) {
      return run_bytes(shape, twin.arrangement, twin.options());
    };
    const std::int64_t needed = needs(twin.shape);
    if (needed <= most) return;
    std::string hint =
        twin.dtype == DType::f64 ? "use a larger --scale or --dtype f32" : "use a larger --scale";
    for (std::int64_t L = twin.shape.L; L % 2 == 0 && L / 2 >= twin.plan.job.gpus;) {
      L /= 2;
      if (!fits(needs, twin.shape, L, most)) continue;
      hint = fmt::format("use --seq {}", L);
      break;
    }
    throw InputError("--seq",
                     fmt::format("expected a run of at most {:.1f} GiB, got {} tokens that "
                                 "need {:.1f} GiB, {}",
                                 static_cast<double>(most) / gib, twin.shape.L,
                                 static_cast<double>(needed) / gib, hint));
  }

  template <class Needs>
  static bool fits(const Needs& needs, const LayerShape& shape, std::int64_t L, std::int64_t most) {
    try {
      return needs(with_tokens(shape, L)) <= most;
    } catch (const InputError&) {
      return false;  // too short for the strategy or its documents
    }
  }

  static void execute(TwinRun& twin, std::int64_t layers, Console& console) {
    constexpr double patience_s = 3600;  // ranks share few cores
    VerifyOptions options{twin.dtype, twin.plan.recompute, patience_s};
    options.comm_chunks = twin.plan.job.levers.comm_chunks;
    for (std::int64_t n = 0; n < layers; ++n) {
      const Progress progress(console, fmt::format("running layer {} of {} on {} ranks", n + 1,
                                                   layers, twin.arrangement.mesh.ranks()));
      twin.layers.push_back(
          verify_layer(twin.shape, twin.arrangement.strategy, twin.arrangement.mesh, options));
    }
  }

  std::string plan_, communicator_, device_, dtype_, scale_, seq_, layers_, cluster_, output_;
  TrainFlags training_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_run(CLI::App& root) {
  auto verb = std::make_unique<RunVerb>(root.add_subcommand(
      "run", "Execute a plan on this machine, or its scaled twin, and verify it"));
  verb->define();
  return verb;
}

}  // namespace ithaca
