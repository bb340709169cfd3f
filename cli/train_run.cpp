#include "cli/train_run.h"

#include "cli/loss_csv.h"
#include "models/error.h"
#include "reports/draw.h"
#include "train/training_memory.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <limits>
#include <numeric>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kept_checkpoints = 2;

std::vector<Sample> samples_of(TextData& data, std::int64_t step, std::int64_t each) {
  std::vector<Sample> samples;
  for (std::int64_t n = step * each; n < (step + 1) * each; ++n) samples.push_back(data.sample(n));
  return samples;
}

/// The checkpoint to go on from, if any.
std::optional<std::string> found_checkpoint(const TrainJob& job) {
  if (job.checkpoint.empty()) return {};
  const auto latest = latest_checkpoint(job.checkpoint);
  if (job.resume && !latest)
    throw InputError("--resume", fmt::format("expected a checkpoint in {}, got none, leave out "
                                             "--resume to begin",
                                             job.checkpoint));
  if (!job.resume && latest)
    throw InputError("--checkpoint",
                     fmt::format("expected a folder without checkpoints, got {}, use --resume or "
                                 "another folder",
                                 *latest));
  return latest;
}

void check_outputs(const TrainJob& job) {
  if (!job.csv.empty()) check_writable(job.csv);
  if (job.plot.empty()) return;
  check_writable(job.plot);
  if (const std::string problem = why_no_pictures(); !problem.empty())
    throw EnvironmentError("--plot: " + problem);
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && !fs::is_directory(path)) error = std::make_error_code(std::errc::not_a_directory);
  if (error)
    throw EnvironmentError(fmt::format("{}: cannot be written: {}", path, error.message()));
}

class Training {
 public:
  Training(const TrainJob& job, Console& console)
      : console_(console),
        data_(job.data, {job.twin.shape.L, job.options.seed}),
        facts_({{"training", job.facts(data_.fingerprint())}}) {
    run_.job = job;
    run_.data_fingerprint = data_.fingerprint();
  }

  TrainRun run() {
    const auto from = found_checkpoint(run_.job);
    Trainer trainer(run_.job.shape(), programs(), run_.job.options);
    if (from) resume(trainer, *from);
    LossCsv csv(run_.job.csv, run_.resumed_from);
    if (!run_.job.checkpoint.empty()) make_folder(run_.job.checkpoint);
    steps(trainer, csv);
    return std::move(run_);
  }

  /// The same steps on one rank, from the first.
  void compare(TrainRun& run) {
    const TrainJob alone = run.job.on_one_rank();
    Trainer trainer(alone.shape(), alone.mesh(), alone.options);
    Progress progress(console_, "");
    double apart = 0;
    while (trainer.steps_done() < run.job.steps) {
      progress.say(fmt::format("one rank, step {} of {}", trainer.steps_done() + 1, run.job.steps));
      const double loss = trainer.step(next_samples(trainer)).loss;
      const std::int64_t step = trainer.steps_done() - run.resumed_from;
      if (step < 1) continue;
      const double other = run.steps[static_cast<std::size_t>(step - 1)].loss;
      const double relative = std::abs(other - loss) / std::abs(loss);
      apart =
          std::max(apart, std::isfinite(relative) ? relative : std::numeric_limits<double>::max());
    }
    run.apart = apart;
  }

 private:
  TrainingPrograms programs() {
    TrainingPrograms made = training_programs(run_.job.shape(), run_.job.mesh(), run_.job.options);
    run_.predicted_live_bytes = live_bytes(made);
    return made;
  }

  void resume(Trainer& trainer, const std::string& path) {
    const nlohmann::json facts = trainer.load(path, facts_);
    run_.resumed_from = trainer.steps_done();
    run_.checkpoint = path;
    if (facts.contains("loss") && facts.at("loss").is_number())
      run_.final_loss = facts.at("loss").get<double>();
    if (run_.resumed_from > run_.job.steps)
      throw InputError("--steps", fmt::format("expected at least the {} steps of {}, got {}",
                                              run_.resumed_from, path, run_.job.steps));
  }

  std::vector<Sample> next_samples(const Trainer& trainer) {
    return samples_of(data_, trainer.steps_done(), trainer.samples_per_step());
  }

  void steps(Trainer& trainer, LossCsv& csv) {
    Progress progress(console_, "");
    run_.predicted_sent_bytes = trainer.predicted_sent_bytes();
    while (trainer.steps_done() < run_.job.steps) {
      progress.say(says(trainer.steps_done() + 1));
      const auto samples = next_samples(trainer);
      const auto begin = std::chrono::steady_clock::now();
      const TrainedStep done = trainer.step(samples);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      run_.steps.push_back(done);
      run_.seconds.push_back(took.count());
      csv.add(trainer.steps_done(), done, took.count(), run_.job.options.update.clip_norm > 0);
      if (is_due(trainer.steps_done())) keep(trainer, csv);
    }
    csv.write();
    if (!run_.steps.empty())
      run_.final_loss = std::isfinite(run_.steps.back().loss)
                            ? std::optional(run_.steps.back().loss)
                            : std::nullopt;
  }

  std::string says(std::int64_t step) const {
    const std::string loss =
        run_.steps.empty() ? "" : fmt::format(", loss {:.4f}", run_.steps.back().loss);
    return fmt::format("{} ranks, step {} of {}{}", run_.job.mesh().ranks(), step, run_.job.steps,
                       loss);
  }

  bool is_due(std::int64_t step) const {
    const TrainJob& job = run_.job;
    return !job.checkpoint.empty() &&
           (step == job.steps || (job.checkpoint_every > 0 && step % job.checkpoint_every == 0));
  }

  /// Rows first: a run that is killed in between finds more rows than it needs.
  void keep(const Trainer& trainer, const LossCsv& csv) {
    csv.write();
    nlohmann::json facts = facts_;
    facts["steps"] = trainer.steps_done();
    facts["loss"] = run_.steps.back().loss;
    run_.checkpoint = fs::path(run_.job.checkpoint) / checkpoint_name(trainer.steps_done());
    if (!std::isfinite(run_.steps.back().loss)) facts.erase("loss");
    trainer.save(run_.checkpoint, facts);
    prune_checkpoints(run_.job.checkpoint, kept_checkpoints);
  }

  TrainRun run_;
  Console& console_;
  TextData data_;
  nlohmann::json facts_;
};

template <class Number>
std::optional<std::int64_t> measured(const std::vector<TrainedStep>& steps, std::int64_t predicted,
                                     Number TrainedStep::*member) {
  if (steps.empty()) return {};
  const auto other = std::ranges::find_if(
      steps, [&](const TrainedStep& step) { return step.*member != predicted; });
  return other == steps.end() ? predicted : (*other).*member;
}

}  // namespace

std::optional<std::int64_t> TrainRun::measured_sent_bytes() const {
  return measured(steps, predicted_sent_bytes, &TrainedStep::sent_bytes);
}

std::optional<std::int64_t> TrainRun::measured_live_bytes() const {
  return measured(steps, predicted_live_bytes, &TrainedStep::peak_live_bytes);
}

bool TrainRun::bytes_match() const {
  return steps.empty() || (measured_sent_bytes() == predicted_sent_bytes &&
                           measured_live_bytes() == predicted_live_bytes);
}

bool TrainRun::verified() const {
  return bytes_match() && apart.value_or(0) <= tolerance();
}

double TrainRun::tokens_per_s() const {
  const double total_s = std::accumulate(seconds.begin(), seconds.end(), 0.0);
  std::int64_t tokens = 0;
  for (const TrainedStep& step : steps) tokens += step.valid_tokens;
  return steps.empty() ? 0 : static_cast<double>(tokens) / total_s;
}

TrainRun train(const TrainJob& job, Console& console) {
  check_outputs(job);
  Training training(job, console);
  TrainRun run = training.run();
  if (job.verify) training.compare(run);
  if (!job.plot.empty()) draw_losses(job.csv, job.plot);
  return run;
}

}  // namespace ithaca
