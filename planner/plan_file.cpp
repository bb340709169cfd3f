#include "planner/plan_file.h"

#include "models/error.h"
#include "models/model_yaml.h"
#include "models/yaml.h"

#include <cerrno>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <system_error>
#include <unistd.h>

namespace ithaca {
namespace {

constexpr std::int64_t most_samples = 1 << 24, most_tokens = std::int64_t{1} << 40;

/// A double-quoted scalar: any text comes back as it was.
std::string quoted_text(std::string_view text) {
  YAML::Emitter out;
  out << YAML::DoubleQuoted << std::string(text);
  return out.c_str();
}

const char* text_of(bool b) {
  return b ? "true" : "false";
}
std::string layer_text(const LayerShape& s) {
  std::string text;
  const auto put = [&](const char* key, const auto& value) {
    text += fmt::format("  {}: {}\n", key, value);
  };
  put("d", s.d), put("i", s.i), put("k", s.k), put("g", s.g), put("e", s.e);
  put("norm", name_of(s.norm)), put("act", name_of(s.act)), put("rope", text_of(s.rope));
  put("rope_theta", s.rope_theta), put("fused_qkv", text_of(s.fused_qkv));
  put("qkv_bias", text_of(s.qkv_bias)), put("o_bias", text_of(s.o_bias)),
      put("mlp_bias", text_of(s.mlp_bias));
  put("qk_norm", text_of(s.qk_norm)), put("post_norms", text_of(s.post_norms));
  put("parallel_residual", text_of(s.parallel_residual));
  if (s.mask != Mask()) put("mask", quoted_text(to_string(s.mask)));
  return text;
}

LayerShape read_layer(const Yaml& y) {
  y.allow({"d", "i", "k", "g", "e", "norm", "act", "rope", "rope_theta", "fused_qkv", "qkv_bias",
           "o_bias", "mlp_bias", "qk_norm", "post_norms", "parallel_residual", "mask"});
  LayerShape s;
  const auto size = [&](const char* key, std::int64_t most) { return y.at(key).integer(1, most); };
  s.d = size("d", SizeLimits::hidden), s.i = size("i", SizeLimits::intermediate);
  s.k = size("k", SizeLimits::heads), s.g = size("g", SizeLimits::heads);
  s.e = size("e", SizeLimits::head_dim);
  s.norm = y.at("norm").one_of({"rms", "layer"}) == "rms" ? Norm::rms : Norm::layer;
  const std::string act = y.at("act").one_of({"swiglu", "geglu", "gelu"});
  s.act = act == "swiglu" ? Act::swiglu : act == "geglu" ? Act::geglu : Act::gelu;
  s.rope_theta = y.at("rope_theta").positive();
  const auto flag = [&](const char* key) { return y.at(key).boolean(); };
  s.rope = flag("rope"), s.fused_qkv = flag("fused_qkv"), s.qkv_bias = flag("qkv_bias");
  s.o_bias = flag("o_bias"), s.mlp_bias = flag("mlp_bias"), s.qk_norm = flag("qk_norm");
  s.post_norms = flag("post_norms"), s.parallel_residual = flag("parallel_residual");
  return s;
}

Mesh read_mesh(const Yaml& y) {
  std::vector<Mesh::Extent> extents;
  for (const std::string& axis : y.keys())
    extents.push_back({axis, static_cast<int>(y.at(axis).integer(1, 1 << 24))});
  return Mesh(std::move(extents));
}

/// What is left at its default is left out.
std::string step_text(const Job& job) {
  std::string text;
  const auto put = [&](const char* key, const auto& value) {
    text += fmt::format("{}: {}\n", key, value);
  };
  if (job.vocabulary > 0) put("vocabulary", job.vocabulary);
  if (job.tied) put("tied", "true");
  if (job.window_layers > 0)
    put("window", fmt::format("{{tokens: {}, layers: {}}}", job.window, job.window_layers));
  if (!is_reference(job.profile)) put("profile", job.profile.name);
  if (job.recipe.name != recipes().front().name) put("recipe", job.recipe.name);
  if (job.micro_batches > 1) put("micro_batches", job.micro_batches);
  if (job.adapter_rank > 0) put("adapter_rank", job.adapter_rank);
  if (job.forward_only) put("forward_only", "true");
  if (const Levers& l = job.levers; l != Levers())
    put("levers",
        fmt::format(
            "{{mlp_tiles: {}, loss_tiles: {}, offload: {}, optimizer_offload: {}{}{}{}}}",
            l.mlp_tiles, l.loss_tiles, text_of(l.offload), text_of(l.optimizer_offload),
            l.weights_offload ? ", weights_offload: true" : "",
            l.bucket_elements > 0 ? fmt::format(", bucket_elements: {}", l.bucket_elements) : "",
            l.comm_chunks > 1 ? fmt::format(", comm_chunks: {}", l.comm_chunks) : ""));
  return text;
}

void read_levers(const Yaml& y, Levers& levers) {
  y.allow({"mlp_tiles", "loss_tiles", "offload", "optimizer_offload", "weights_offload",
           "bucket_elements", "comm_chunks"});
  levers.mlp_tiles = y.at("mlp_tiles").integer(0, most_tokens);
  levers.loss_tiles = y.at("loss_tiles").integer(0, most_tokens);
  levers.offload = y.at("offload").boolean();
  levers.optimizer_offload = y.at("optimizer_offload").boolean();
  if (const auto weights = y.find("weights_offload")) levers.weights_offload = weights->boolean();
  if (const auto elements = y.find("bucket_elements"))
    levers.bucket_elements = elements->integer(1, SizeLimits::elements);
  if (const auto chunks = y.find("comm_chunks"))
    levers.comm_chunks = chunks->integer(1, SizeLimits::comm_chunks);
}

void read_step(const Yaml& y, Job& job) {
  if (const auto vocabulary = y.find("vocabulary"))
    job.vocabulary = vocabulary->integer(1, SizeLimits::vocabulary);
  if (const auto tied = y.find("tied")) job.tied = tied->boolean();
  if (const auto window = y.find("window")) {
    window->allow({"tokens", "layers"});
    job.window = window->at("tokens").integer(1, most_tokens);
    job.window_layers = window->at("layers").integer(1, SizeLimits::layers);
  }
  if (const auto profile = y.find("profile"))
    job.profile = find_profile(profile->text(), profile->place(), profile->key());
  if (const auto recipe = y.find("recipe"))
    job.recipe = find_recipe(recipe->text(), recipe->place(), recipe->key());
  if (const auto rank = y.find("adapter_rank")) job.adapter_rank = rank->integer(1, job.shape.d);
  if (const auto forward = y.find("forward_only")) {
    job.forward_only = forward->boolean();
    if (job.forward_only && job.adapter_rank > 0)
      forward->fail("expected false, got true with adapter_rank, which is for training");
  }
  if (const auto n = y.find("micro_batches")) job.micro_batches = n->integer(1, most_samples);
  if (const auto levers = y.find("levers")) read_levers(*levers, job.levers);
}

void check_offload(const Yaml& y, const PlanFile& plan) {
  if (plan.job.levers.offload && !plan.recompute.full)
    y.at("levers").at("offload").fail(
        fmt::format("expected false, got true with recompute {}, only what recomputed layers begin "
                    "with can wait on the host",
                    ithaca::text_of(plan.recompute)));
}

void read_prediction(const Yaml& y, PlanFile& plan) {
  y.allow({"step", "peak", "sent"});
  plan.step_s = y.at("step").seconds();
  plan.peak_bytes = y.at("peak").bytes();
  plan.sent_bytes = y.at("sent").text() == "0 B" ? 0 : y.at("sent").bytes();
}

}  // namespace

std::string to_yaml(const PlanFile& plan) {
  std::string mesh;
  for (const Mesh::Extent& extent : plan.mesh.extents())
    mesh += fmt::format("{}{}: {}", mesh.empty() ? "" : ", ", extent.name, extent.ranks);
  const Job& job = plan.job;
  return fmt::format(
      "schema: ithaca/1\nkind: plan\nmodel: {}\nlayers: {}\nlayer:\n{}batch: {}\nseq: "
      "{}\n{}cluster: {}\n"
      "gpus: {}\nmesh: {{{}}}\nstrategy: {}\nrecompute: {}\nschedule: {}\n"
      "predicted: {{step: \"{:.6g} s\", peak: \"{} B\", sent: \"{} B\"}}\n",
      quoted_text(job.model), job.layers, layer_text(job.shape), job.shape.b, job.shape.L,
      step_text(job), quoted_text(plan.cluster), job.gpus, mesh, quoted_text(plan.strategy),
      ithaca::text_of(plan.recompute), job.overlap ? "overlapped" : "blocking", plan.step_s,
      plan.peak_bytes, plan.sent_bytes);
}

PlanFile load_plan(const std::string& path) {
  const Yaml y = Yaml::file(path);
  y.allow({"schema",   "kind",      "model",      "layers",       "layer",       "batch",
           "seq",      "cluster",   "gpus",       "mesh",         "strategy",    "recompute",
           "schedule", "predicted", "vocabulary", "tied",         "recipe",      "micro_batches",
           "levers",   "window",    "profile",    "adapter_rank", "forward_only"});
  (void)y.at("schema").one_of({"ithaca/1"});
  (void)y.at("kind").one_of({"plan"});
  PlanFile plan;
  plan.job.model = y.at("model").text();
  plan.job.layers = y.at("layers").integer(1, SizeLimits::layers);
  plan.job.shape = read_layer(y.at("layer"));
  plan.job.shape.b = y.at("batch").integer(1, most_samples);
  plan.job.shape.L = y.at("seq").integer(1, most_tokens);
  if (const auto mask = y.at("layer").find("mask"))
    plan.job.shape.mask = parse_mask(mask->text(), plan.job.shape.L, mask->place(), mask->key());
  plan.cluster = y.at("cluster").text();
  plan.job.cluster = load_cluster(plan.cluster);
  plan.job.gpus = static_cast<int>(y.at("gpus").integer(1, 1 << 24));
  plan.mesh = read_mesh(y.at("mesh"));
  if (plan.mesh.ranks() != plan.job.gpus)
    y.at("mesh").fail(fmt::format("expected axes that multiply to gpus = {}, got {}", plan.job.gpus,
                                  plan.mesh.ranks()));
  plan.strategy = y.at("strategy").text();
  const Yaml recompute = y.at("recompute");
  plan.recompute = parse_recompute(recompute.text(), recompute.place(), recompute.key());
  read_step(y, plan.job);
  check_offload(y, plan);
  plan.job.overlap = y.at("schedule").one_of({"blocking", "overlapped"}) == "overlapped";
  if (const auto predicted = y.find("predicted")) read_prediction(*predicted, plan);
  return plan;
}

namespace {

namespace fs = std::filesystem;

/// A pipe, a terminal or a device is written as it is; only a file can be replaced.
bool replaceable(const fs::path& target) {
  std::error_code error;
  const fs::file_status status = fs::status(target, error);
  return !fs::exists(status) || fs::is_regular_file(status);
}

[[noreturn]] void cannot_write(const std::string& path, const std::string& why) {
  throw EnvironmentError(fmt::format("{}: cannot be written: {}", path, why));
}

}  // namespace

void check_writable(const std::string& path) {
  const fs::path folder = fs::absolute(path).parent_path();
  std::error_code error;
  if (fs::is_directory(path, error)) cannot_write(path, "it is a folder");
  if (!fs::is_directory(folder, error)) cannot_write(path, "there is no folder " + folder.string());
  if (access((fs::exists(path, error) ? fs::path(path) : folder).c_str(), W_OK) != 0)
    cannot_write(path, std::generic_category().message(errno));
}

void write_file(const std::string& path, const std::string& text) {
  check_writable(path);
  std::error_code error;
  const fs::path resolved = fs::weakly_canonical(path, error),
                 target = error ? fs::path(path) : resolved;
  const bool replaces = replaceable(target);
  const std::string written =
      replaces ? fmt::format("{}.{}.tmp", target.string(), getpid()) : target.string();
  std::ofstream out(written, std::ios::binary);
  out << text;
  out.close();
  if (!out) {
    if (replaces) fs::remove(written, error);
    cannot_write(path, std::generic_category().message(errno));
  }
  if (replaces) fs::rename(written, target, error);
  if (!replaces || !error) return;
  fs::remove(written);
  cannot_write(path, error.message());
}

}  // namespace ithaca
