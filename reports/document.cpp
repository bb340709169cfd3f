#include "reports/document.h"

#include "reports/format.h"

#include <fmt/format.h>
#include <iterator>

namespace ithaca {
namespace {

std::string plan_headline(const PlanData& d) {
  const Job& job = d.file.job;
  const std::string place =
      d.rank == 1 ? fmt::format("the fastest of {} choices",
                                grouped(static_cast<std::int64_t>(d.plan.candidates)))
      : d.rank == 0
          ? "a choice the planner does not offer or that does not fit"
          : fmt::format("number {} of {} choices that fit", d.rank, d.plan.ranking.size());
  return fmt::format(
      "Train {} at {} tokens on {} × {} with {} on {}{}: {:#.3g} s a step, {} of {} a GPU, {} sent "
      "per "
      "rank and layer — {}.",
      job.model, grouped(job.shape.L), job.gpus, job.cluster.gpu.name, d.file.strategy,
      to_string(d.file.mesh), d.file.recompute.full ? " with full recomputation" : "",
      d.priced.time.step_s, binary_bytes(d.priced.peak_bytes()),
      binary_bytes(job.cluster.gpu.memory_bytes),
      decimal_bytes(d.priced.count.sent_bytes().total()), place);
}

std::string run_headline(const std::vector<RunRecord>& runs) {
  std::size_t verified = 0;
  for (const RunRecord& run : runs) verified += run.verified ? 1 : 0;
  return fmt::format(
      "{} of {} runs verified: bytes sent and held as predicted, outputs and gradients as on one "
      "rank.",
      verified, runs.size());
}

void ask(Document& document, const PlanData& d) {
  const Job& job = d.file.job;
  const LayerShape& s = job.shape;
  document.asked = {
      {"model", job.model},
      {"layers", grouped(job.layers)},
      {"sequence L", grouped(s.L)},
      {"batch b", grouped(s.b)},
      {"hidden d", grouped(s.d)},
      {"intermediate i", grouped(s.i)},
      {"heads h = k g", fmt::format("{} = {} × {}", s.h(), s.k, s.g)},
      {"head dimension e", grouped(s.e)},
      {"cluster", d.file.cluster},
      {"GPUs N", grouped(job.gpus)},
      {"memory of a GPU", fmt::format("{} bytes", grouped(job.cluster.gpu.memory_bytes))},
      {"schedule", job.overlap ? "overlapped" : "blocking"}};
}

}  // namespace

Document document_of(const ReportData& data) {
  Document document;
  if (data.plan) {
    const Job& job = data.plan->file.job;
    document.title =
        fmt::format("{} at {} tokens on {} GPUs", job.model, grouped(job.shape.L), job.gpus);
    document.headline = plan_headline(*data.plan);
    ask(document, *data.plan);
    document.sections = plan_sections(*data.plan);
  } else {
    document.title = "Predicted beside measured";
    document.headline = run_headline(data.runs);
  }
  for (std::size_t i = 0; i < data.runs.size(); ++i) {
    std::vector<Section> sections =
        run_sections(data.runs[i], i + 1, data.plan ? &*data.plan : nullptr);
    // Before the predicted timeline and the methods.
    const std::size_t at = data.plan ? document.sections.size() - 2 : document.sections.size();
    document.sections.insert(document.sections.begin() + static_cast<std::ptrdiff_t>(at),
                             std::make_move_iterator(sections.begin()),
                             std::make_move_iterator(sections.end()));
  }
  return document;
}

}  // namespace ithaca
