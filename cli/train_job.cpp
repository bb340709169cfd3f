#include "cli/train_job.h"

#include "cli/options.h"
#include "models/error.h"
#include "models/model_yaml.h"
#include "models/nearest.h"
#include "train/training_memory.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace ithaca {
namespace {

constexpr std::int64_t most_steps = 1'000'000'000, most_micro_batches = 1 << 20;
constexpr double gib = 1024.0 * 1024.0 * 1024.0;

double positive(const std::string& text, std::string_view flag, double otherwise) {
  if (text.empty()) return otherwise;
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || read != end || !std::isfinite(value) || value <= 0)
    throw InputError(flag, fmt::format("expected a number above 0 such as {}, got {}",
                                       otherwise > 0 ? otherwise : 1.0, in_quotes(text)));
  return value;
}

std::int64_t whole_or(const std::string& text, std::string_view flag, std::int64_t least,
                      std::int64_t most, std::int64_t otherwise) {
  return text.empty() ? otherwise : whole(text, flag, least, most);
}

TrainOptions options_of(const TrainFlags& flags, const TwinRun& twin) {
  Job job = twin.plan.job;
  if (job.forward_only)
    throw InputError("--steps", "expected nothing, the plan is one of a forward only");
  job.shape = twin.shape;
  job.vocabulary = byte_vocabulary;
  job.profile = profiles().front();  // the run has this project's kernels
  TrainOptions o;
  o.step = step_options(job, twin.arrangement, twin.plan.recompute);
  o.step.vocabulary_multiple = 1;
  o.dtype = twin.dtype;
  o.micro_batches =
      whole_or(flags.micro_batches, "--micro-batches", 1, most_micro_batches, job.micro_batches);
  o.update.recipe = job.recipe;
  o.update.on_host = job.levers.optimizer_offload;
  o.update.bucket_elements = job.levers.bucket_elements;
  o.update.adam.rate = positive(flags.learning_rate, "--learning-rate", o.update.adam.rate);
  o.update.clip_norm = positive(flags.clip, "--clip", 0);
  o.seed = static_cast<std::uint64_t>(
      whole_or(flags.seed, "--seed", 0, std::numeric_limits<std::int64_t>::max(), 0));
  o.patience_s = 3600;  // ranks share few cores
  return o;
}

void check_companions(const TrainFlags& flags) {
  if (flags.data.empty()) throw InputError("--data", "expected a text file, got nothing");
  if (flags.resume && flags.checkpoint.empty())
    throw InputError("--resume", "expected --checkpoint DIR too, got nothing");
  if (!flags.checkpoint_every.empty() && flags.checkpoint.empty())
    throw InputError("--checkpoint-every", "expected --checkpoint DIR too, got nothing");
  if (flags.plot.empty()) return;
  if (flags.csv.empty())
    throw InputError("--plot", "expected --csv FILE too, which is drawn, got nothing");
  if (!flags.plot.ends_with(".svg") && !flags.plot.ends_with(".png"))
    throw InputError("--plot", fmt::format("expected a name that ends in .svg or .png, got {}",
                                           in_quotes(flags.plot)));
}

}  // namespace

void add_train_options(CLI::App& app, TrainFlags& flags) {
  const std::string group = "Training";
  const auto add = [&](const char* flag, std::string& text, const char* type, const char* help) {
    app.add_option(flag, text, help)->type_name(type)->group(group);
  };
  add("--steps", flags.steps, "K", "train until K optimizer steps are done");
  add("--data", flags.data, "FILE", "text; a token is a byte");
  add("--micro-batches", flags.micro_batches, "A", "of the plan's batch, in one step (1)");
  add("--learning-rate", flags.learning_rate, "X", "of AdamW (0.001)");
  add("--clip", flags.clip, "X", "largest norm of all gradients together (none)");
  add("--seed", flags.seed, "S", "of weights and the order of samples (0)");
  add("--checkpoint", flags.checkpoint, "DIR", "keep the two latest checkpoints there");
  add("--checkpoint-every", flags.checkpoint_every, "M", "steps (only at the end)");
  app.add_flag("--resume", flags.resume, "go on from the latest checkpoint")->group(group);
  add("--csv", flags.csv, "FILE", "loss of every step");
  add("--plot", flags.plot, "FILE", "the same as a picture, .svg or .png");
  app.add_flag("--verify", flags.verify, "train on one rank too and compare losses")->group(group);
}

void check_not_training(const TrainFlags& flags) {
  for (const auto& [flag, text] : {std::pair{"--data", &flags.data},
                                   {"--micro-batches", &flags.micro_batches},
                                   {"--learning-rate", &flags.learning_rate},
                                   {"--clip", &flags.clip},
                                   {"--seed", &flags.seed},
                                   {"--checkpoint", &flags.checkpoint},
                                   {"--checkpoint-every", &flags.checkpoint_every},
                                   {"--csv", &flags.csv},
                                   {"--plot", &flags.plot}})
    if (!text->empty()) throw InputError(flag, "expected --steps K too, got nothing");
  if (flags.resume) throw InputError("--resume", "expected --steps K too, got nothing");
  if (flags.verify) throw InputError("--verify", "expected --steps K too, got nothing");
}

StepShape TrainJob::shape() const {
  return {{{twin.shape, twin.arrangement.strategy, layers}}, byte_vocabulary, twin.plan.job.tied};
}

TrainJob TrainJob::on_one_rank() const {
  TrainJob job = *this;
  job.twin.arrangement = {};
  job.options.step = {};
  job.options.step.vocabulary_multiple = 1;
  job.options.step.layer.adapter_rank = options.step.layer.adapter_rank;
  job.options.update.on_host = false;
  job.verify = false;
  return job;
}

nlohmann::json TrainJob::facts(const std::string& data_fingerprint) const {
  const LayerShape& s = twin.shape;
  const Adam& adam = options.update.adam;
  const nlohmann::json layer = {{"L", s.L},
                                {"d", s.d},
                                {"i", s.i},
                                {"k", s.k},
                                {"g", s.g},
                                {"e", s.e},
                                {"norm", name_of(s.norm)},
                                {"act", name_of(s.act)},
                                {"rope", s.rope},
                                {"rope_theta", s.rope_theta},
                                {"parallel_residual", s.parallel_residual},
                                {"mask", to_string(s.mask)}};
  return {{"layer", layer},
          {"layers", layers},
          {"tied", twin.plan.job.tied},
          {"data", data_fingerprint},
          {"seed", options.seed},
          {"samples_per_step", samples_per_step()},
          {"dtype", name_of(options.dtype)},
          {"optimizer",
           {{"learning_rate", adam.rate},
            {"beta1", adam.beta1},
            {"beta2", adam.beta2},
            {"epsilon", adam.epsilon},
            {"weight_decay", adam.decay},
            {"clip_norm", options.update.clip_norm}}}};
}

TrainJob train_job(const TrainFlags& flags, TwinRun twin, const std::string& layers) {
  TrainJob job;
  job.steps = whole(flags.steps, "--steps", 1, most_steps);
  check_companions(flags);
  job.options = options_of(flags, twin);
  job.layers = whole_or(layers, "--layers", 1, SizeLimits::layers, twin.plan.job.layers);
  job.checkpoint_every = whole_or(flags.checkpoint_every, "--checkpoint-every", 1, most_steps, 0);
  job.twin = std::move(twin);
  job.data = flags.data;
  job.checkpoint = flags.checkpoint;
  job.csv = flags.csv;
  job.plot = flags.plot;
  job.resume = flags.resume;
  job.verify = flags.verify;
  return job;
}

std::int64_t run_bytes(const TrainJob& job) {
  const std::int64_t many = trainer_bytes(training_programs(job.shape(), job.mesh(), job.options));
  return job.verify ? std::max(many, run_bytes(job.on_one_rank())) : many;
}

void check_memory(const TrainJob& job, std::int64_t most_bytes) {
  const std::int64_t needed = run_bytes(job);
  if (needed <= most_bytes) return;
  std::string hint = job.options.dtype == DType::f64 ? "use a larger --scale or --dtype f32"
                                                     : "use a larger --scale";
  TrainJob fewer = job;
  while (fewer.layers > 1) {
    fewer.layers /= 2;
    if (run_bytes(fewer) > most_bytes) continue;
    hint = fmt::format("use --layers {}", fewer.layers);
    break;
  }
  throw InputError("--layers",
                   fmt::format("expected a training of at most {:.1f} GiB, got {} "
                               "layers and {} tokens that need {:.1f} GiB, {}",
                               static_cast<double>(most_bytes) / gib, job.layers, job.twin.shape.L,
                               static_cast<double>(needed) / gib, hint));
}

}  // namespace ithaca
