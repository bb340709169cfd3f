#include "cli/train_run.h"

#include <cmath>

namespace ithaca {
namespace {

template <class Number>
Json or_null(const std::optional<Number>& number) {
  return number ? Json(*number) : Json();
}

Json beside(std::int64_t predicted, const std::optional<std::int64_t>& measured) {
  return {{"predicted", predicted}, {"measured", or_null(measured)}};
}

/// JSON has no NaN: such a loss is null.
Json losses_part(const TrainRun& run) {
  Json json = Json::array();
  for (const TrainedStep& step : run.steps)
    json.push_back(std::isfinite(step.loss) ? Json(step.loss) : Json());
  return json;
}

Json one_rank_part(const TrainRun& run) {
  if (!run.apart) return {};
  return {{"max_relative_difference", *run.apart}, {"tolerance", run.tolerance()}};
}

}  // namespace

Json train_json(const TrainRun& run) {
  const TrainJob& job = run.job;
  const TwinRun& twin = job.twin;
  const nlohmann::json facts = job.facts(run.data_fingerprint);
  return {{"schema", "ithaca/1"},
          {"kind", "training"},
          {"plan", plan_json(twin.plan)},
          {"communicator", "threads"},
          {"device", "cpu"},
          {"dtype", name_of(twin.dtype)},
          {"scale", twin.scale},
          {"layers", job.layers},
          {"shape", shape_json(twin.shape)},
          {"vocabulary", byte_vocabulary},
          {"mesh", mesh_json(job.mesh())},
          {"strategy", twin.arrangement.name},
          {"data", {{"file", job.data}, {"fingerprint", run.data_fingerprint}}},
          {"seed", job.options.seed},
          {"micro_batches", job.options.micro_batches},
          {"samples_per_step", job.samples_per_step()},
          {"optimizer", facts.at("optimizer")},
          {"steps", job.steps},
          {"resumed_from", run.resumed_from},
          {"losses", losses_part(run)},
          {"final_loss", or_null(run.final_loss)},
          {"tokens_per_s", run.tokens_per_s()},
          {"sent_bytes", beside(run.predicted_sent_bytes, run.measured_sent_bytes())},
          {"live_bytes", beside(run.predicted_live_bytes, run.measured_live_bytes())},
          {"one_rank", one_rank_part(run)},
          {"checkpoint", run.checkpoint.empty() ? Json() : Json(run.checkpoint)},
          {"verified", run.verified()}};
}

}  // namespace ithaca
