#include "reports/ulysses_race.h"

#include "models/error.h"
#include "reports/published_setups.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace ithaca {
namespace {

constexpr std::int64_t vocabulary = 50304;  // GPT-2's, padded as Megatron does

/// One side of a race at one length.
struct Side {
  const RaceModel& model;
  std::int64_t tokens;
  bool ulysses, causal;
  const char* strategy() const {
    return ulysses ? "data_zero3(p) * ulysses_zero3(u)" : "data_ddp(p) * tp_sp(t)";
  }
};

Job job_of(const Side& side, int samples) {
  const RaceModel& m = side.model;
  Job job;
  job.model = m.name;
  job.shape = layer_shape(m);
  job.shape.b = samples;
  job.shape.L = side.tokens;
  if (!side.causal) job.shape.mask = Mask::full();
  job.layers = m.layers;
  job.vocabulary = vocabulary;
  job.tied = true;
  job.cluster = load_cluster("dgx-a100-40g");
  job.gpus = m.gpus;
  job.recipe = find_recipe("mixed");
  job.profile = find_profile(side.ulysses ? "deepspeed" : "megatron");
  return job;
}

/// The degrees that fit.
std::vector<Mesh> meshes(const Side& side, const Recompute& recompute) {
  const RaceModel& m = side.model;
  std::vector<Mesh> fitting;
  for (int degree = 1; degree <= std::gcd(m.gpus, static_cast<int>(m.heads)); degree *= 2) {
    const Job job = job_of(side, m.gpus / degree);
    const Mesh mesh({{"p", m.gpus / degree}, {side.ulysses ? "u" : "t", degree}});
    const Need need = need_of(job, arrange(side.strategy(), mesh, job.shape), recompute);
    if (need.fits_gpu(job.cluster)) fitting.push_back(mesh);
  }
  return fitting;
}

std::optional<Racer> fastest(const Side& side) {
  std::optional<Racer> found;
  for (const Mesh& mesh : meshes(side, true)) {
    const int replicas = mesh.extents().front().ranks;
    const Job job = job_of(side, replicas);
    const double step_s = price(job, side.strategy(), mesh, true).time.step_s;
    const double rate = static_cast<double>(side.tokens * replicas) / (step_s * job.gpus);
    if (!found || rate > found->tokens_per_s_per_gpu) found = {side.strategy(), mesh, rate};
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

LayerShape layer_shape(const RaceModel& m) {
  LayerShape s;
  s.d = m.hidden;
  s.k = m.heads;
  s.e = m.hidden / m.heads;
  s.i = 4 * m.hidden;
  s.norm = Norm::layer;
  s.act = Act::gelu;
  s.rope = false;
  return s;
}

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

std::string Race::title() const {
  return fmt::format("{}, {} attention", model.name, causal ? "causal" : "full");
}

Race race(const RaceModel& model, bool causal, const std::vector<PublishedRow>& rows) {
  Race all{model, causal, {}};
  for (std::int64_t tokens = 8192;; tokens *= 2) {
    RaceLength at;
    at.tokens = tokens;
    const PublishedRow* const u = find(rows, model, tokens, "-ulysses-");
    const PublishedRow* const m = find(rows, model, tokens, "-megatron-");
    at.published = u != nullptr;
    if (u != nullptr) at.published_ulysses_tflops = u->metric("tflops_per_gpu");
    if (m != nullptr) at.published_megatron_tflops = m->metric("tflops_per_gpu");
    at.ulysses = fastest({model, tokens, true, causal});
    at.megatron = fastest({model, tokens, false, causal});
    at.megatron_plain = !meshes({model, tokens, false, causal}, false).empty();
    if (!at.published && !at.ulysses && !at.megatron) return all;
    all.lengths.push_back(std::move(at));
  }
}

}  // namespace ithaca
