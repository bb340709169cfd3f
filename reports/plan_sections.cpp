#include "reports/document.h"
#include "reports/format.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace ithaca {
namespace {

constexpr std::size_t ranked_rows = 12, reason_rows = 8;

std::string name_of(const Choice& choice) {
  return fmt::format("{} on {} with {} recomputation", choice.expression(), to_string(choice.mesh),
                     choice.recompute ? "full" : "no");
}

/// Beyond the runner-up, which is named anyway.
const Ranked* first_of_another_family(const std::vector<Ranked>& ranking) {
  for (std::size_t i = 2; i < ranking.size(); ++i) {
    const std::string family = family_of(ranking[i].choice);
    if (family != family_of(ranking[0].choice) && family != family_of(ranking[1].choice))
      return &ranking[i];
  }
  return nullptr;
}

DocumentTable ranking_table(const Plan& plan) {
  DocumentTable table{fmt::format("The {} fastest of {} that fit",
                                  std::min(ranked_rows, plan.ranking.size()), plan.ranking.size()),
                      {{"", Align::right},
                       {"strategy", Align::left},
                       {"mesh", Align::left},
                       {"recompute", Align::left},
                       {"step", Align::right},
                       {"compute", Align::right},
                       {"exposed", Align::right},
                       {"memory", Align::right},
                       {"sent per layer", Align::right},
                       {"slower by", Align::right}},
                      {}};
  for (std::size_t i = 0; i < std::min(ranked_rows, plan.ranking.size()); ++i) {
    const Ranked& r = plan.ranking[i];
    table.rows.push_back(
        {fmt::format("{}", i + 1), r.choice.expression(), to_string(r.choice.mesh),
         text_of(Recompute(r.choice.recompute)), fmt::format("{:.3f} s", r.step_s),
         fmt::format("{:.3f} s", r.compute_s), fmt::format("{:.3f} s", r.exposed_comm_s),
         binary_bytes(r.peak_bytes), decimal_bytes(r.sent_bytes),
         i == 0 ? "" : fmt::format("{:.1f} ms", 1e3 * (r.step_s - plan.ranking[0].step_s))});
  }
  return table;
}

DocumentTable reason_table(const PlanData& d) {
  DocumentTable table{
      fmt::format("Why {} of {} choices fell out", d.plan.infeasible.size(), d.plan.candidates),
      {{"choices", Align::right}, {"reason (of the first; numbers differ)", Align::left}},
      {}};
  std::size_t others = 0;
  for (std::size_t i = 0; i < d.infeasible.size(); ++i) {
    if (i >= reason_rows)
      others += d.infeasible[i].choices;
    else
      table.rows.push_back({fmt::format("{}", d.infeasible[i].choices), d.infeasible[i].reason});
  }
  if (others > 0) table.rows.push_back({fmt::format("{}", others), "other reasons"});
  return table;
}

/// The file's own prediction and the price of today may differ: another version, an edited file.
void note_drift(Section& section, const PlanData& d) {
  const double now_s = d.priced.time.step_s;
  if (d.file.step_s > 0 && std::abs(d.file.step_s - now_s) > 1e-4 * now_s)
    section.notes.push_back(
        fmt::format("The plan file predicts {:.6g} s a step; priced now it is {:.6g} s.",
                    d.file.step_s, now_s));
  if (d.file.sent_bytes > 0 && d.file.sent_bytes != d.priced.count.sent_bytes().total())
    section.notes.push_back(
        fmt::format("The plan file says {} bytes sent per layer; counted now they are {}.",
                    grouped(d.file.sent_bytes), grouped(d.priced.count.sent_bytes().total())));
}

std::string bf16_note(const std::string& where) {
  return fmt::format(
      "In {} gradients of keys and values are summed in bf16 along the ring, which is known to "
      "lose "
      "precision (zhuzilin/ring-flash-attention, issue 42); ring_homing sums them in f32.",
      where);
}

Section ranking_section(const PlanData& d) {
  Section section{"Which strategy, and why not the next", {}, {}, {}, {}, "ranking.csv"};
  const std::vector<Ranked>& ranking = d.plan.ranking;
  if (ranking.empty()) section.paragraphs.push_back("No choice fits.");
  if (!ranking.empty())
    section.paragraphs.push_back(fmt::format("Fastest is {}.", name_of(ranking[0].choice)));
  if (ranking.size() > 1)
    section.paragraphs.push_back(fmt::format(
        "The runner-up, {}, is {}.", name_of(ranking[1].choice), explain(ranking[0], ranking[1])));
  if (const Ranked* const other = first_of_another_family(ranking); other != nullptr)
    section.paragraphs.push_back(fmt::format("The best of another kind, {}, is {}.",
                                             name_of(other->choice), explain(ranking[0], *other)));
  if (!ranking.empty()) section.tables.push_back(ranking_table(d.plan));
  if (!d.infeasible.empty()) section.tables.push_back(reason_table(d));
  note_drift(section, d);
  if (d.bf16_ring_gradients) section.notes.push_back(bf16_note("this plan"));
  return section;
}

Section volume_section(const PlanData& d) {
  Section section{"What each strategy sends", {}, {}, {}, {}, "volume.csv"};
  section.paragraphs.push_back(
      fmt::format("Bytes sent by one rank in one layer, forward and backward of one micro-batch, "
                  "counted from the layer program on "
                  "{} GPUs without recomputation and without the per-step update.",
                  d.file.job.gpus));
  if (d.file.job.gpus > 1)
    section.figures.push_back(
        {"volume",
         "Sent bytes against sequence length, both axes logarithmic. Flat where weights "
         "travel, rising where activations do."});
  DocumentTable table{fmt::format("At L = {}", grouped(d.file.job.shape.L)),
                      {{"strategy", Align::left},
                       {"activations, bytes", Align::right},
                       {"weights, bytes", Align::right},
                       {"total, bytes", Align::right}},
                      {}};
  for (const VolumePoint& p : d.volume)
    if (p.seq == d.file.job.shape.L)
      table.rows.push_back({p.strategy, grouped(p.sent_bytes.activation),
                            grouped(p.sent_bytes.weight), grouped(p.sent_bytes.total())});
  section.tables.push_back(std::move(table));
  std::string narrow;
  for (const PublishedStrategy& row : d.published)
    if (row.bf16_ring_gradients)
      narrow += fmt::format("{}{}", narrow.empty() ? "" : ", ", row.strategy);
  if (!narrow.empty()) section.notes.push_back(bf16_note(narrow));
  for (const PublishedStrategy& row : d.published)
    if (!row.error.empty())
      section.notes.push_back(fmt::format("{} is left out: {}", row.strategy, row.error));
  return section;
}

Section best_section(const PlanData& d) {
  Section section{"Which strategy at other lengths and sizes", {}, {}, {}, {}, "best.csv"};
  section.figures.push_back(
      {"best",
       "The fastest choice that fits in every cell, its degrees and step time; ↻ means full "
       "recomputation, the frame is this job, hatched is out of memory."});
  if (d.file.job.shape.b > 1)
    section.notes.push_back(
        fmt::format("Every cell has the job's {} samples.", d.file.job.shape.b));
  return section;
}

Section memory_section(const PlanData& d) {
  Section section{"Where the memory goes", {}, {}, {}, {}, "memory.csv"};
  section.paragraphs.push_back(
      "Peak of one rank over all layers: exact liveness of every tensor by role, plus estimated "
      "overheads (context, "
      "communicator buffers). Numbered bars are the ranking's first, the others the published "
      "strategies on all GPUs.");
  section.figures.push_back(
      {"memory", fmt::format("Against the {} that the driver reports for {}.",
                             binary_bytes(d.file.job.cluster.gpu.memory_bytes),
                             d.file.job.cluster.gpu.name)});
  DocumentTable table{"The plan's peak by role",
                      {{"role", Align::left}, {"bytes", Align::right}, {"", Align::right}},
                      {}};
  const auto add = [&](const std::string& name, std::int64_t bytes) {
    table.rows.push_back({name, grouped(bytes), binary_bytes(bytes)});
  };
  for (std::size_t r = 0; r < memory_roles; ++r)
    add(name_of(static_cast<MemoryRole>(r)), d.priced.need.memory.by_role[r]);
  add("overhead: context", d.priced.need.overheads.context_bytes);
  add("overhead: communicators", d.priced.need.overheads.communicator_bytes);
  add("overhead: all-to-all channels", d.priced.need.overheads.all_to_all_bytes);
  const Overheads& o = d.priced.need.overheads;
  if (o.gathered_bytes > 0) add("overhead: gathered weights", o.gathered_bytes);
  if (o.bucket_bytes > 0) add("overhead: gradient buckets", o.bucket_bytes);
  add("peak", d.priced.peak_bytes());
  section.tables.push_back(std::move(table));
  return section;
}

Section timeline_section(const PlanData& d) {
  Section section{"Predicted timeline", {}, {}, {}, {}, "timeline.csv"};
  const StepTime& t = d.priced.time;
  section.paragraphs.push_back(
      fmt::format("A micro-batch through {} layers takes {:.4g} s; with the update a step takes "
                  "{:.4g} s, of which {:.4g} s are "
                  "computation and {:.4g} s communication that nothing hides ({:.1f} %).",
                  grouped(d.file.job.layers), t.micro_batch_s, t.step_s, t.compute_s,
                  t.exposed_comm_s, 100 * t.exposed_comm_s / t.step_s));
  section.figures.push_back(
      {"timeline",
       "Forward and backward of one layer; collectives run on the lane of their mesh axis."});
  return section;
}

std::string rate_text(const Gpu& gpu) {
  return gpu.matmul_flops_per_s ? fmt::format("{:.4g} TFLOP/s measured ({})",
                                              *gpu.matmul_flops_per_s / 1e12, gpu.matmul_source)
                                : fmt::format("{:.4g} TFLOP/s of the datasheet ({})",
                                              gpu.bf16_flops_per_s / 1e12, gpu.source);
}

std::string link_text(const Link& link) {
  return fmt::format("{} {:.4g} GB/s and {:.3g} µs", link.kind, link.bandwidth_bytes_per_s / 1e9,
                     1e6 * link.latency_s);
}

Section method_section(const PlanData& d) {
  const Cluster& c = d.file.job.cluster;
  Section section{"How each number was made", {}, {}, {}, {}, "report.json"};
  const auto note = [&](std::string text) { section.notes.push_back(std::move(text)); };
  note(
      "Everything is read from one program of the layer, which the strategy's table and the "
      "derived "
      "backward give: bytes and operations by count, memory by exact liveness, time by its steps "
      "on "
      "lanes. Executing a plan moves the same bytes, call by call.");
  note(fmt::format("Kernels take the longer of operations / {} and bytes / {:.4g} GB/s.",
                   rate_text(c.gpu), c.gpu.memory_bandwidth_bytes_per_s / 1e9));
  note(
      fmt::format("Collectives take {:.3g} µs, a latency per hop and bytes over bandwidth: {}, {} "
                  "({}).",
                  1e6 * c.base_latency_s, link_text(c.intra), link_text(c.inter), c.source));
  note("Times are not yet validated against measured training runs.");
  note(
      "The embedding, the LM head and the loss are not priced yet, neither in time nor in memory.");
  note(
      "Memory overheads outside the program (context, communicator buffers) are estimates, kept "
      "apart from the exact bytes.");
  note("GB is 10^9 bytes, GiB is 2^30 bytes.");
  return section;
}

}  // namespace

std::vector<Section> plan_sections(const PlanData& d) {
  return {ranking_section(d), best_section(d),     memory_section(d),
          volume_section(d),  timeline_section(d), method_section(d)};
}

}  // namespace ithaca
