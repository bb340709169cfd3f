#include "reports/ulysses_race.h"

#include "models/error.h"
#include "reports/published_setups.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace ithaca {
namespace {

constexpr std::int64_t vocabulary = 50304;  // GPT-2's, padded as Megatron does

Job job_of(const RaceModel& m, std::int64_t tokens, int samples, const char* profile) {
  Job job;
  job.model = m.name;
  LayerShape& s = job.shape;
  s.b = samples;
  s.L = tokens;
  s.d = m.hidden;
  s.k = m.heads;
  s.e = m.hidden / m.heads;
  s.i = 4 * m.hidden;
  s.norm = Norm::layer;
  s.act = Act::gelu;
  s.rope = false;
  job.layers = m.layers;
  job.vocabulary = vocabulary;
  job.tied = true;
  job.cluster = load_cluster("dgx-a100-40g");
  job.gpus = m.gpus;
  job.recipe = find_recipe("mixed");
  job.profile = find_profile(profile);
  return job;
}

/// The fastest of all degrees that fits.
std::optional<Racer> best(const RaceModel& m, std::int64_t tokens, bool ulysses) {
  const char* const axis = ulysses ? "u" : "t";
  const std::string strategy =
      ulysses ? "data_zero3(p) * ulysses_zero3(u)" : "data_ddp(p) * tp_sp(t)";
  std::optional<Racer> found;
  for (int degree = 1; degree <= std::gcd(m.gpus, static_cast<int>(m.heads)); degree *= 2)
    for (const bool recompute : {false, true}) {
      const int replicas = m.gpus / degree;
      const Job job = job_of(m, tokens, replicas, ulysses ? "deepspeed" : "megatron");
      const Mesh mesh({{"p", replicas}, {axis, degree}});
      const Need need = need_of(job, arrange(strategy, mesh, job.shape), Recompute(recompute));
      if (!need.fits_gpu(job.cluster)) continue;
      const double step_s = price(job, strategy, mesh, Recompute(recompute)).time.step_s;
      const double rate = static_cast<double>(tokens * replicas) / (step_s * m.gpus);
      if (!found || rate > found->tokens_per_s_per_gpu) found = {strategy, mesh, recompute, rate};
    }
  return found;
}

const PublishedRow* find(const std::vector<PublishedRow>& rows, const RaceModel& m,
                         std::int64_t tokens, std::string_view side) {
  for (const PublishedRow& row : rows)
    if (row.file == "deepspeed_ulysses_blog" && row.model.name == m.name && row.seq_len == tokens &&
        row.gpus == m.gpus && says(row.id, side))
      return &row;
  return nullptr;
}

}  // namespace

std::vector<RaceModel> race_models() {
  return {{"GPT-7B", 32, 4096, 32, 32,
           "the shape that the FLOP/s of the paper's tables fit (reports/published/"
           "deepspeed_ulysses_paper.yaml)"},
          {"GPT-30B", 64, 6144, 64, 64, "not published; 12 l d^2 of 64 layers of 6144 is 29.0e9"}};
}

std::optional<double> RaceLength::published_ratio() const {
  if (!published_ulysses_tflops || !published_megatron_tflops) return std::nullopt;
  return *published_ulysses_tflops / *published_megatron_tflops;
}
std::optional<double> RaceLength::ratio() const {
  if (!ulysses || !megatron) return std::nullopt;
  return ulysses->tokens_per_s_per_gpu / megatron->tokens_per_s_per_gpu;
}

double Race::flops_per_token(std::int64_t tokens) const {
  const auto l = static_cast<double>(model.layers), d = static_cast<double>(model.hidden);
  const double parameters = 12 * l * d * d + static_cast<double>(vocabulary) * d;
  return (6 * parameters + 12 * l * static_cast<double>(tokens) * d) * 4 / 3;
}

Race race(const RaceModel& model, const std::vector<PublishedRow>& rows) {
  Race all{model, {}};
  for (std::int64_t tokens = 8192;; tokens *= 2) {
    RaceLength at;
    at.tokens = tokens;
    const PublishedRow* const u = find(rows, model, tokens, "-ulysses-");
    const PublishedRow* const m = find(rows, model, tokens, "-megatron-");
    at.published = u != nullptr;
    if (u != nullptr) at.published_ulysses_tflops = u->metric("tflops_per_gpu");
    if (m != nullptr) at.published_megatron_tflops = m->metric("tflops_per_gpu");
    at.ulysses = best(model, tokens, true);
    at.megatron = best(model, tokens, false);
    if (!at.published && !at.ulysses && !at.megatron) return all;
    all.lengths.push_back(std::move(at));
  }
}

}  // namespace ithaca
