#include "cli/text.h"
#include "cli/train_run.h"
#include "reports/format.h"
#include "reports/text_table.h"

#include <algorithm>
#include <fmt/format.h>

namespace ithaca {
namespace {

std::string head_text(const TrainRun& run) {
  const TrainJob& job = run.job;
  const TwinRun& twin = job.twin;
  return fmt::format(
      "{} on {} thread rank{}: {}, mesh {}, recompute {}, {}\n"
      "{}{}, {} layer{}, vocabulary {}\n"
      "{}: {}; {} sample{} a step in {} micro-batch{}, seed {}\n\n",
      twin.plan.job.model, job.mesh().ranks(), job.mesh().ranks() == 1 ? "" : "s",
      twin.arrangement.name, to_string(job.mesh()), text_of(twin.plan.recompute),
      name_of(twin.dtype), twin.scale > 1 ? fmt::format("scaled by 1/{}: ", twin.scale) : "",
      shape_text(twin.shape), job.layers, job.layers == 1 ? "" : "s", byte_vocabulary, job.data,
      run.data_fingerprint, job.samples_per_step(), job.samples_per_step() == 1 ? "" : "s",
      job.options.micro_batches, job.options.micro_batches == 1 ? "" : "es", job.options.seed);
}

/// The first step, the last, and some between.
std::string losses_text(const TrainRun& run) {
  using enum Align;
  TextTable table({{"step", right}, {"loss", right}, {"gradient norm", right}, {"time", right}});
  const bool clipped = run.job.options.update.clip_norm > 0;
  const std::size_t n = run.steps.size(), shown = std::min<std::size_t>(n, 10);
  for (std::size_t row = 0; row < shown; ++row) {
    const std::size_t i = shown == 1 ? 0 : row * (n - 1) / (shown - 1);
    table.add({fmt::format("{}", run.resumed_from + static_cast<std::int64_t>(i) + 1),
               fmt::format("{:.6f}", run.steps[i].loss),
               clipped ? fmt::format("{:.4f}", run.steps[i].gradient_norm) : "-",
               seconds_text(run.seconds[i])});
  }
  return table.text(2);
}

std::string bytes_text(const TrainRun& run) {
  using enum Align;
  TextTable table({{"", left}, {"predicted", right}, {"measured", right}, {"", left}});
  const auto add = [&](const char* what, std::int64_t predicted, std::int64_t measured) {
    table.add(
        {what, grouped(predicted), grouped(measured), predicted == measured ? "=" : "differs"});
  };
  add("bytes sent by a rank, one step", run.predicted_sent_bytes, *run.measured_sent_bytes());
  add("bytes held at the peak", run.predicted_live_bytes, *run.measured_live_bytes());
  return table.text(2);
}

}  // namespace

std::string train_text(const TrainRun& run) {
  std::string text = head_text(run);
  if (run.resumed_from > 0) text += fmt::format("  resumed after step {}\n", run.resumed_from);
  if (run.steps.empty())
    text += fmt::format("  nothing left to do: all {} steps are done\n", run.job.steps);
  else
    text += losses_text(run) + '\n' + bytes_text(run) +
            fmt::format("\n  {} tokens/s\n", decimal_count(run.tokens_per_s()));
  if (run.apart && *run.apart <= run.tolerance())
    text += fmt::format("  verified: losses of one rank within {:.1e} (at most {:.0e})\n",
                        *run.apart, run.tolerance());
  if (!run.checkpoint.empty()) text += fmt::format("  checkpoint {}\n", run.checkpoint);
  return text;
}

std::string why_unverified(const TrainRun& run) {
  if (!run.bytes_match()) return "run: not verified: bytes differ from the prediction";
  return fmt::format("run: not verified: expected losses of one rank within {:.0e}, got {:.2e}",
                     run.tolerance(), run.apart.value_or(0));
}

}  // namespace ithaca
