#include "cli/calibrate.h"

#include "cli/options.h"
#include "cli/verb.h"
#include "models/error.h"
#include "models/nearest.h"
#include "planner/plan_file.h"
#include "reports/json.h"
#include "runtime/calibrate/machine_text.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

constexpr int most_ranks = 64;  // more take minutes and gigabytes
constexpr int usual_ranks = 8;  // that plans for one node ask for
constexpr int most_repeats = 1000;

Json json_of(const Cluster& c) {
  const MeasuredKernels& k = c.gpu.kernels.measured;
  Json at_once = Json::array();
  for (const Slowdown& s : k.at_once)
    at_once.push_back({{"ranks", s.ranks},
                       {"products", s.products},
                       {"attention", s.attention},
                       {"others", s.others}});
  return {{"schema", "ithaca/1"},
          {"kind", "calibration"},
          {"cluster", c.name},
          {"source", c.source},
          {"cores", k.cores},
          {"ranks", c.gpus_per_node},
          {"launch_s", k.launch_s},
          {"f32_flops_per_s", c.gpu.bf16_flops_per_s},
          {"memory_bandwidth_bytes_per_s", c.gpu.memory_bandwidth_bytes_per_s},
          {"link",
           {{"bandwidth_bytes_per_s", c.intra.bandwidth_bytes_per_s},
            {"latency_s", c.intra.latency_s}}},
          {"at_once", at_once}};
}

class CalibrateVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    const auto add = [&](const char* flag, std::string& text, const char* type, const char* help) {
      app_->add_option(flag, text, help)->type_name(type);
    };
    add("--ranks", ranks_, "N", "thread ranks at once, at most (8, or a rank a core)");
    add("--repeats", repeats_, "K", "runs of each step, of which the median counts (5)");
    app_->add_flag("--quick", quick_, "few sizes: seconds, and coarse");
    add("--cluster-name", name_, "NAME", "of the cluster in the file (this-machine)");
    app_->add_option("--from-nccl-tests", tables_, "what nccl-tests printed, instead of measuring")
        ->type_name("FILE...")
        ->expected(0, 1000);
    add("--cluster", cluster_, "NAME", "whose GPUs and links nccl-tests ran on");
    app_->add_flag("--json", json_, "for scripts, schema ithaca/1");
    add("-o,--output", output_, "FILE", "cluster file to write; else stdout");
    app_->footer(
        "Example:\n  ithaca calibrate -o this-machine.yaml\n"
        "  ithaca run plan.yaml --seq 1k --layers 5 --cluster this-machine.yaml\n"
        "  ithaca calibrate --from-nccl-tests all_reduce.txt all_gather.txt --cluster "
        "dgx-h100 -o mine.yaml");
  }

  int run(Console& console) override {
    if (app_->count("--from-nccl-tests") > 0) return from_nccl_tests(console);
    if (!cluster_.empty())
      throw InputError("--cluster",
                       "expected it with --from-nccl-tests only: the machine that "
                       "runs this is measured, name it with --cluster-name");
    if (!output_.empty()) check_writable(output_);
    MachineFacts facts = machine_facts();
    facts.name = name_.empty() ? "this-machine" : named(name_);
    facts.ranks = ranks_.empty() ? std::min(std::max(usual_ranks, facts.cores), most_ranks)
                                 : static_cast<int>(whole(ranks_, "--ranks", 1, most_ranks));
    facts.repeats = repeats_.empty()
                        ? MeterOptions{}.repeats
                        : static_cast<int>(whole(repeats_, "--repeats", 1, most_repeats));
    facts.build = ITHACA_BUILD;
    const std::string text = measured(facts, console);
    const Cluster cluster = parse_cluster(text, "the calibrated cluster");
    if (!output_.empty())
      console.note(fmt::format("next: ithaca run PLAN --layers 5 --cluster {}", output_));
    if (!json_ || !output_.empty()) console.result(text, output_);
    if (json_) console.result(text_of(json_of(cluster)));
    return Exit::ok;
  }

 private:
  int from_nccl_tests(Console& console) const {
    for (const auto& [flag, given] :
         {std::pair{"--ranks", !ranks_.empty()}, std::pair{"--repeats", !repeats_.empty()},
          std::pair{"--quick", quick_}})
      if (given)
        throw InputError(flag, "expected it without --from-nccl-tests only: nothing is measured");
    std::vector<std::string> files = tables_;
    std::erase(files, "");  // what the parser makes of a flag without values
    NcclTestsRequest request{std::move(files), cluster_, name_.empty() ? "" : named(name_), output_,
                             json_};
    return calibrate_from_nccl_tests(request, console);
  }

  /// A name that can stand on the command line.
  static std::string named(const std::string& name) {
    const auto plain = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
    };
    if (!std::ranges::all_of(name, plain))
      throw InputError(
          "--cluster-name",
          fmt::format("expected letters, digits, '-', '_' and '.', got {}", in_quotes(name)));
    return name;
  }

  std::string measured(const MachineFacts& facts, Console& console) const {
    CalibrateOptions options = quick_ ? CalibrateOptions::quick() : CalibrateOptions{};
    options.ranks = facts.ranks;
    options.cores = facts.cores;
    MeterOptions how;
    how.repeats = facts.repeats;
    if (quick_) how.least_s = how.together_s = 0;
    ThreadMeter meter(how);
    Progress progress(console, "calibrating");
    return cluster_text(
        calibrate(meter, options,
                  [&](const std::string& what) { progress.say("measuring: " + what); }),
        facts);
  }

  std::string ranks_, repeats_, name_, cluster_, output_;
  std::vector<std::string> tables_;
  bool quick_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_calibrate(CLI::App& root) {
  auto verb = std::make_unique<CalibrateVerb>(root.add_subcommand(
      "calibrate", "Measure this machine, or read nccl-tests, into a cluster file"));
  verb->define();
  return verb;
}

}  // namespace ithaca
