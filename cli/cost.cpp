#include "cli/bottleneck.h"
#include "cli/options.h"
#include "cli/pipeline.h"
#include "cli/text.h"
#include "cli/trace.h"
#include "cli/verb.h"
#include "models/error.h"
#include "planner/plan_file.h"
#include "planner/reserved.h"
#include "planner/waterfall.h"
#include "reports/closed_forms.h"
#include "reports/error_bands.h"
#include "reports/format.h"
#include "reports/json.h"
#include "reports/text_table.h"
#include "sim/schedule.h"
#include "sim/time.h"

#include <fmt/format.h>

namespace ithaca {
namespace {

/// What `cost` was asked for and found.
struct Cost {
  Job job;
  PricedStrategy priced;
  Program layer;  ///< one layer, what is said of it
  AttentionLoad attention;
  std::vector<LeverEffect> levers;
  std::optional<Reserved> reserved;
  std::vector<Cause> causes;
};

Json reserved_json(const std::optional<Reserved>& r) {
  if (!r) return nullptr;
  return {{"default", r->segments.peak_bytes}, {"expandable_segments", r->expandable.peak_bytes}};
}

Json memory_json(const Cost& c) {
  const Overheads& o = c.priced.need.overheads;
  return {{"peak_bytes", c.priced.peak_bytes()},
          {"tensor_bytes", c.priced.need.memory.peak_bytes},
          {"reserved_bytes", reserved_json(c.reserved)},
          {"by_role", by_role_json(c.priced.need.memory.by_role)},
          {"overheads",
           {{"context_bytes", o.context_bytes},
            {"communicator_bytes", o.communicator_bytes},
            {"all_to_all_bytes", o.all_to_all_bytes},
            {"gathered_bytes", o.gathered_bytes},
            {"bucket_bytes", o.bucket_bytes}}},
          {"capacity_bytes", c.job.cluster.gpu.memory_bytes},
          {"host_bytes_per_node", c.priced.need.host_bytes_per_node(c.job.cluster)},
          {"host_capacity_bytes", c.job.cluster.host_memory_bytes}};
}

Json levers_json(const Cost& c) {
  Json all = Json::array();
  for (const LeverEffect& e : c.levers)
    all.push_back({{"lever", e.lever},
                   {"alone_peak_bytes", e.alone_bytes},
                   {"together_peak_bytes", e.together_bytes}});
  return all;
}

Json json_of(const Cost& c) {
  const PricedStrategy& p = c.priced;
  const StepTime& t = p.time;
  const Degrees degrees = degrees_of(p.arrangement);
  return {{"schema", "ithaca/1"},
          {"model", c.job.model},
          {"shape", shape_json(c.job.shape)},
          {"mask", to_string(c.job.shape.mask)},
          {"layers", c.job.layers},
          {"cluster", c.job.cluster.name},
          {"strategy", p.arrangement.name},
          {"mesh", mesh_json(p.arrangement.mesh)},
          {"recompute", ithaca::text_of(p.recompute)},
          {"schedule", c.job.overlap ? "overlapped" : "blocking"},
          {"profile", std::string(c.job.profile.name)},
          {"adapter_rank", c.job.adapter_rank},
          {"forward_only", c.job.forward_only},
          {"degree", degrees.all},
          {"ulysses", degrees.ulysses},
          {"ring", degrees.ring},
          {"collectives", collectives_json(p.count, p.update, p.arrangement.mesh)},
          {"sent_bytes", sent_json(p.count.sent_bytes())},
          {"flops", p.count.flops()},
          {"attention_imbalance", c.attention.imbalance()},
          {"memory", memory_json(c)},
          {"levers", levers_json(c)},
          {"step",
           {{"sent_bytes", sent_json(p.step.sent_bytes())},
            {"flops", p.step.flops()},
            {"to_host_bytes", p.step.to_host_bytes},
            {"from_host_bytes", p.step.from_host_bytes}}},
          {"pipeline", pipeline_json(c.job, p)},
          {"time",
           {{"step_s", t.step_s},
            {"step_band", band_json(shipped_band(c.job.cluster.gpu), t.step_s)},
            {"compute_s", t.compute_s},
            {"exposed_comm_s", t.exposed_comm_s},
            {"micro_batch_s", t.micro_batch_s},
            {"update_s", t.update_s},
            {"hidden_s", t.hidden_s},
            {"causes", causes_json(c.causes)}}}};
}

std::string memory_text(const Cost& c) {
  using enum Align;
  TextTable table({{"memory", left}, {"bytes", right}, {"", right}, {"of capacity", right}});
  std::int64_t capacity = c.job.cluster.gpu.memory_bytes;
  const auto add = [&](const std::string& name, std::int64_t bytes) {
    if (bytes > 0)
      table.add({name, grouped(bytes), binary_bytes(bytes),
                 fmt::format("{:.1f} %",
                             100 * static_cast<double>(bytes) / static_cast<double>(capacity))});
  };
  for (std::size_t r = 0; r < memory_roles; ++r)
    add(name_of(static_cast<MemoryRole>(r)), c.priced.need.memory.by_role[r]);
  add("overhead: context", c.priced.need.overheads.context_bytes);
  add("overhead: communicators", c.priced.need.overheads.communicator_bytes);
  add("overhead: all-to-all", c.priced.need.overheads.all_to_all_bytes);
  add("overhead: gathered weights", c.priced.need.overheads.gathered_bytes);
  add("overhead: gradient buckets", c.priced.need.overheads.bucket_bytes);
  add("peak", c.priced.peak_bytes());
  if (c.reserved) {
    add("tensors reserved, default", c.reserved->segments.peak_bytes);
    add("tensors reserved, expandable", c.reserved->expandable.peak_bytes);
  } else {
    table.add({"tensors reserved", "not replayed", "", ""});
  }
  add("capacity", capacity);
  capacity = c.job.cluster.host_memory_bytes;
  if (const std::int64_t host = c.priced.need.host_bytes_per_node(c.job.cluster); host > 0) {
    add("host, a node", host);
    add("capacity of the host", capacity);
  }
  return table.text(2);
}

const char* passes_text(const Job& job) {
  return job.forward_only ? "forward" : "forward and backward";
}

std::string levers_text(const Cost& c) {
  using enum Align;
  TextTable table({{"peak with", left}, {"alone", right}, {"and all above", right}});
  for (const LeverEffect& e : c.levers)
    table.add({e.lever, binary_bytes(e.alone_bytes), binary_bytes(e.together_bytes)});
  return table.text(2);
}

std::string time_text(const Cost& c) {
  using enum Align;
  const StepTime& t = c.priced.time;
  TextTable table({{"time", left}, {"", right}});
  table.add(
      {fmt::format("one micro-batch, {}", passes_text(c.job)), seconds_text(t.micro_batch_s)});
  table.add({"update, once a step", seconds_text(t.update_s)});
  if (t.hidden_s > 0) table.add({"  of it behind the last backward", seconds_text(t.hidden_s)});
  table.add({fmt::format("step, {} layers, micro-batches: {}", c.job.layers, c.job.micro_batches),
             seconds_text(t.step_s) + band_text(shipped_band(c.job.cluster.gpu))});
  table.add({"  of it computing", seconds_text(t.compute_s)});
  table.add({c.priced.pipeline ? "  of it exposed communication and bubble"
                               : "  of it exposed communication",
             seconds_text(t.exposed_comm_s)});
  return table.text(2);
}

std::string step_text(const Count& step) {
  const SentBytes sent = step.sent_bytes();
  std::string text =
      fmt::format("  in a whole step: {} activations + {} weights = {}; {}FLOP",
                  decimal_bytes(sent.activation), decimal_bytes(sent.weight),
                  decimal_bytes(sent.total()), decimal_count(static_cast<double>(step.flops())));
  if (step.to_host_bytes + step.from_host_bytes > 0)
    text += fmt::format("; {} to the host, {} back", decimal_bytes(step.to_host_bytes),
                        decimal_bytes(step.from_host_bytes));
  return text + '\n';
}

std::string attention_text(const AttentionLoad& a) {
  return fmt::format("  attention: {}FLOP on the busiest rank, {}FLOP on average, {:.2f} x\n\n",
                     decimal_count(static_cast<double>(a.busiest_flops)),
                     decimal_count(a.mean_flops), a.imbalance());
}

std::string text_of(const Cost& c) {
  const PricedStrategy& p = c.priced;
  const SentBytes sent = p.count.sent_bytes();
  std::string text =
      fmt::format("{} on {} x {}: {}, recompute {}, {}{}\n{}, {} layers\n\n", c.job.model,
                  c.job.gpus, c.job.cluster.gpu.name, p.arrangement.name,
                  ithaca::text_of(p.recompute), c.job.overlap ? "overlapped" : "blocking",
                  conditions_text(c.job), shape_text(c.job.shape), c.job.layers);
  text += fmt::format("One layer on mesh {}, {}\n\n", to_string(p.arrangement.mesh),
                      passes_text(c.job));
  text += collectives_text(p.count, p.arrangement.mesh);
  text +=
      fmt::format("\n  sent by a rank: {} activations + {} weights = {}; {}FLOP\n",
                  decimal_bytes(sent.activation), decimal_bytes(sent.weight),
                  decimal_bytes(sent.total()), decimal_count(static_cast<double>(p.count.flops())));
  text += step_text(p.step) + attention_text(c.attention) + memory_text(c) + '\n' + levers_text(c) +
          '\n' + time_text(c) + causes_text(c.causes) + pipeline_text(c.job, p);
  if (p.peak_bytes() > c.job.cluster.gpu.memory_bytes)
    text += fmt::format("\n  does not fit: {} over capacity\n",
                        binary_bytes(p.peak_bytes() - c.job.cluster.gpu.memory_bytes));
  if (!p.need.fits_host(c.job.cluster))
    text += fmt::format(
        "\n  does not fit on the host: {} over capacity\n",
        binary_bytes(p.need.host_bytes_per_node(c.job.cluster) - c.job.cluster.host_memory_bytes));
  return text;
}

class CostVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    add_pricing_options(*app_, o_);
    app_->add_option("--timeline", timeline_, "predicted timeline as a Chrome trace")
        ->type_name("FILE");
    app_->add_option("--pipeline", pipeline_,
                     "stages of GPUs, and chunks of layers on each in turn (1)")
        ->type_name("P[,V]")
        ->group("How");
    app_->footer(
        "Example:\n  ithaca cost --model llama-3.1-8b --cluster dgx-a100-80g --gpus 8 --seq 128k "
        "\\\n"
        "      --strategy \"ring_zigzag_zero3(r) * ulysses_zero3(u)\" --mesh r=2,u=4 --recompute "
        "full");
  }

  int run(Console& console) override {
    if (o_.strategy.empty())
      throw InputError("--strategy", "expected an expression such as ulysses_zero3, got nothing");
    if (!timeline_.empty() && timeline_ == o_.output)
      throw InputError("--timeline", "expected a file of its own, got that of --output");
    const Recompute recompute = recomputes(o_);
    take_default(o_.cluster, "dgx-a100-80g", "--cluster", console);
    const Pipeline pipeline =
        app_->count("--pipeline") == 0 ? Pipeline{} : parse_pipeline(pipeline_);
    Mesh mesh;
    if (!o_.mesh.empty()) mesh = mesh_for(pipeline.stages);
    Job job = job_of(o_, console);
    job.pipeline = pipeline;
    if (job.gpus % pipeline.stages != 0)
      throw InputError("--pipeline", fmt::format("expected stages that divide --gpus {}, got {}",
                                                 job.gpus, pipeline.stages));
    if (o_.mesh.empty()) mesh = default_mesh(o_.strategy, job.gpus / pipeline.stages, job.shape);
    const PricedStrategy priced = price(job, o_.strategy, mesh, recompute);
    const Program layer = layer_of(job, priced.arrangement, recompute).program;
    const Cost cost{job,
                    priced,
                    layer,
                    attention_load(layer),
                    waterfall(job, o_.strategy, mesh),
                    pipeline.on() ? std::nullopt : reserved(job, priced.arrangement, recompute),
                    causes_of(job, priced)};
    if (job.vocabulary == 0)
      console.note("no --model: layers only, without embedding, head and loss");
    if (rings_in_bf16(cost.priced.arrangement)) console.note(bf16_ring_note());
    if (!timeline_.empty()) write_timeline(cost, console);
    console.result(o_.json ? ithaca::text_of(json_of(cost)) : text_of(cost), o_.output);
    return Exit::ok;
  }

 private:
  /// That of --mesh, which makes up the GPUs of a stage.
  Mesh mesh_for(int stages) {
    const Mesh mesh = parse_mesh(o_.mesh);
    const std::int64_t gpus = std::int64_t{mesh.ranks()} * stages;
    if (o_.gpus.empty()) o_.gpus = std::to_string(gpus);
    if (gpus_of(o_) != gpus)
      throw InputError("--mesh",
                       fmt::format("expected axes that multiply to --gpus {}{}, got {}", o_.gpus,
                                   stages > 1 ? " over the stages" : "", mesh.ranks()));
    return mesh;
  }

  void write_timeline(const Cost& c, Console& console) const {
    const Schedule schedule =
        c.job.overlap ? overlapped(c.layer, c.job.profile.streams) : blocking(c.layer);
    const Timeline timeline = time(c.layer, schedule, ClusterCost(c.job.cluster));
    write_file(timeline_, chrome_trace(c.layer, timeline));
    console.note(fmt::format(
        "{} written: one layer; open it in chrome://tracing or ui.perfetto.dev", timeline_));
  }

  Options o_;
  std::string timeline_, pipeline_;
};

}  // namespace

std::unique_ptr<Verb> make_cost(CLI::App& root) {
  auto verb = std::make_unique<CostVerb>(
      root.add_subcommand("cost", "Everything about one strategy: bytes sent, memory, time"));
  verb->define();
  return verb;
}

}  // namespace ithaca
