#include "cli/options.h"

#include "models/error.h"
#include "models/model_yaml.h"
#include "models/nearest.h"
#include "models/units.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ithaca {
namespace {

constexpr std::int64_t most_gpus = 1 << 20, most_samples = 1 << 20;

void need(const std::string& text, std::string_view flag, std::string_view expected,
          std::string_view hint = "") {
  if (text.empty())
    throw InputError(flag, fmt::format("expected {}, got nothing{}", expected, hint));
}

/// Loaders speak of "model" and "cluster"; here these are flags.
template <class Load>
auto as_flag(const char* key, Load&& load) {
  try {
    return load();
  } catch (const InputError& e) {
    const std::string message = e.what(), prefix = fmt::format("{}: ", key);
    if (!message.starts_with(prefix)) throw;
    throw InputError(fmt::format("--{}", key), message.substr(prefix.size()));
  }
}

std::int64_t samples_of(const Options& o) {
  return o.batch.empty() ? 1 : whole(o.batch, "--batch", 1, most_samples);
}

std::int64_t layers_of(const Options& o, std::int64_t otherwise) {
  return o.layers.empty() ? otherwise : whole(o.layers, "--layers", 1, SizeLimits::layers);
}

std::int64_t tokens_of(const Options& o, Console& console) {
  need(o.seq, "--seq", "a token count such as 131072 or 128k");
  const std::int64_t tokens = token_count(o.seq, "--seq");
  if (fmt::format("{}", tokens) != o.seq)
    console.note(fmt::format("--seq {} = {} tokens", o.seq, tokens));
  return tokens;
}

Subject of_model(const Options& o, Console& console) {
  for (const auto& [flag, text] : {std::pair{"--hidden", &o.hidden},
                                   {"--intermediate", &o.intermediate},
                                   {"--heads", &o.heads},
                                   {"--kv-heads", &o.kv_heads},
                                   {"--head-dim", &o.head_dim}})
    if (!text->empty())
      throw InputError(flag, "expected sizes or --model, got both, leave out one");
  const std::int64_t samples = samples_of(o), tokens = tokens_of(o, console);
  const ModelSpec model = as_flag("model", [&] { return load_model(o.model); });
  const LayerShape shape = as_flag("model", [&] { return layer_shape(model, samples, tokens); });
  for (const std::string& note : pricing_notes(model))
    console.note(fmt::format("{}: {}", model.name, note));
  if (model.max_position_embeddings > 0 && tokens > model.max_position_embeddings)
    console.note(fmt::format("{}: {} tokens exceed the {} positions the model was made for",
                             model.name, tokens, model.max_position_embeddings));
  return {model.name,
          shape,
          layers_of(o, model.layers),
          model.vocabulary,
          model.tied_embeddings,
          model.sliding_window,
          model.sliding_layers};
}

/// Heads and their dimension: what was said, else heads of 128.
void take_heads(const Options& o, LayerShape& s, Console& console) {
  const bool has_heads = !o.heads.empty();
  s.e = o.head_dim.empty() ? 128 : whole(o.head_dim, "--head-dim", 1, SizeLimits::head_dim);
  std::int64_t heads = has_heads ? whole(o.heads, "--heads", 1, SizeLimits::heads) : s.d / s.e;
  const bool divides = has_heads ? s.d % heads == 0 : s.d % s.e == 0;
  if (has_heads && o.head_dim.empty()) s.e = s.d / heads;
  if (!divides && o.head_dim.empty() == has_heads)
    throw InputError("--heads", fmt::format("expected a divisor of --hidden {}, got {}, or say "
                                            "--head-dim too",
                                            s.d, heads));
  if (!divides && !has_heads)
    throw InputError("--heads", fmt::format("expected a number of heads, got nothing, and --hidden "
                                            "{} is no multiple of {}",
                                            s.d, s.e));
  s.k = o.kv_heads.empty() ? heads : whole(o.kv_heads, "--kv-heads", 1, SizeLimits::heads);
  if (heads % s.k != 0)
    throw InputError("--kv-heads",
                     fmt::format("expected a divisor of the {} heads, got {}", heads, s.k));
  s.g = heads / s.k;
  console.note(fmt::format("no --model: {} heads of {}, {} KV heads, SwiGLU, RMSNorm, RoPE", heads,
                           s.e, s.k));
}

Subject of_sizes(const Options& o, Console& console) {
  if (o.hidden.empty() && o.intermediate.empty())
    throw InputError("--model",
                     "expected a preset, a YAML file or a config.json, got nothing, see "
                     "`ithaca models`, or give -L -d -i");
  need(o.hidden, "--hidden", "the width of the residual stream such as 4096");
  need(o.intermediate, "--intermediate", "the width of the MLP such as 14336");
  LayerShape s;
  s.d = whole(o.hidden, "--hidden", 1, SizeLimits::hidden);
  s.i = whole(o.intermediate, "--intermediate", 1, SizeLimits::intermediate);
  s.b = samples_of(o);
  s.L = tokens_of(o, console);
  take_heads(o, s, console);
  return {fmt::format("d{}-i{}", s.d, s.i), s, layers_of(o, 1)};
}

}  // namespace

void add_model_options(CLI::App& app, Options& o) {
  const std::string group = "What is trained";
  const auto add = [&](const char* flag, std::string& text, const char* type, const char* help) {
    app.add_option(flag, text, help)->type_name(type)->group(group);
  };
  add("--model", o.model, "NAME|FILE", "preset, YAML file or Hugging Face config.json");
  add("-L,--seq", o.seq, "TOKENS", "tokens of a sample; 128k = 131072");
  add("--batch", o.batch, "N", "samples in one micro-batch (1)");
  add("--layers", o.layers, "N", "layers (the model's, else 1)");
  add("--mask", o.mask, "SPEC",
      "keys a query sees: full, causal, window:4k, fixed:16,4,1, strided:16,4,4, "
      "documents:8k,4k,4k, "
      "documents:mean=4k (causal)");
  add("-d,--hidden", o.hidden, "N", "without --model: width of the residual stream");
  add("-i,--intermediate", o.intermediate, "N", "without --model: width of the MLP");
  add("--heads", o.heads, "N", "without --model: query heads (d / 128)");
  add("--kv-heads", o.kv_heads, "N", "without --model: KV heads (as many as heads)");
  add("--head-dim", o.head_dim, "N", "without --model: dimension of a head (d / heads)");
}

void add_cluster_options(CLI::App& app, Options& o) {
  app.add_option("--cluster", o.cluster, "preset or YAML file")
      ->type_name("NAME|FILE")
      ->group("On what");
  app.add_option("-N,--gpus", o.gpus, "ranks")->type_name("N")->group("On what");
}

void add_strategy_options(CLI::App& app, Options& o) {
  const std::string group = "How";
  app.add_option("--strategy", o.strategy, "such as ulysses_zero3, or \"a(x) * b(y) | c(x,y)\"")
      ->type_name("EXPR")
      ->group(group);
  app.add_option("--mesh", o.mesh, "axes, slowest links first, such as r=2,u=4")
      ->type_name("AXES")
      ->group(group);
  app.add_option(
         "--recompute", o.recompute,
         "none, full, full-but-attention, selective (norm+act), or classes of norm+act+up (none)")
      ->type_name("HOW")
      ->group(group);
  app.add_option("--schedule", o.schedule, "overlapped or blocking (overlapped)")
      ->type_name("HOW")
      ->group(group);
}

void add_step_options(CLI::App& app, Options& o) {
  const std::string group = "The step";
  const auto add = [&](const char* flag, std::string& text, const char* type, const char* help) {
    app.add_option(flag, text, help)->type_name(type)->group(group);
  };
  add("--micro-batches", o.micro_batches, "N", "micro-batches of one optimizer step (1)");
  add("--recipe", o.recipe, "NAME", "mixed, mixed-f32-grads, bf16 or f32 (mixed)");
  add("--mlp-tiles", o.mlp_tiles, "N|auto", "work through the MLP in runs of tokens (1)");
  add("--loss-tiles", o.loss_tiles, "N|auto", "work through logits and loss in runs (1)");
  add_profile_option(app, o);
  app.add_flag("--offload", o.offload, "with --recompute full: inputs of layers wait on the host")
      ->group(group);
  app.add_flag("--optimizer-offload", o.optimizer_offload,
               "optimizer states on the host, and gradients that are summed")
      ->group(group);
  app.add_flag("--weights-offload", o.weights_offload, "matrices on the host, there for each use")
      ->group(group);
  add("--bucket-elements", o.bucket_elements, "N",
      "collectives of one kind in a layer as one message of at most N elements");
  add("--comm-chunks", o.comm_chunks, "N",
      "gathers and scatters of activations in N pieces, behind the products beside them (1)");
  add("--adapter-rank", o.adapter_rank, "R", "train low-rank adapters only (LoRA)");
  app.add_flag("--forward-only", o.forward_only, "no backward and no update")->group(group);
}

void add_profile_option(CLI::App& app, Options& o) {
  std::vector<std::string_view> names;
  for (const Profile& p : profiles()) names.push_back(p.name);
  app.add_option("--profile", o.profile,
                 fmt::format("implementation that is priced: {} ({})", fmt::join(names, ", "),
                             names.front()))
      ->type_name("NAME")
      ->group("How");
}

void add_pricing_options(CLI::App& app, Options& o) {
  add_model_options(app, o);
  add_cluster_options(app, o);
  add_strategy_options(app, o);
  add_step_options(app, o);
  app.add_flag("--json", o.json, "for scripts, schema ithaca/1");
  app.add_option("-o,--output", o.output, "write to a file")->type_name("FILE");
}

std::int64_t whole(const std::string& text, std::string_view flag, std::int64_t least,
                   std::int64_t most) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || read != end || value < least || value > most)
    throw InputError(flag, fmt::format("expected a whole number from {} to {}, got {}", least, most,
                                       in_quotes(text)));
  return value;
}

std::string one_of(const std::string& text, std::string_view flag,
                   std::initializer_list<std::string_view> words) {
  if (text.empty()) return std::string(*words.begin());
  if (std::ranges::find(words, text) != words.end()) return text;
  const std::vector<std::string> known(words.begin(), words.end());
  throw InputError(flag, fmt::format("expected {}, got {}{}", fmt::join(known, " or "),
                                     in_quotes(text), did_you_mean(text, known)));
}

void take_default(std::string& text, const char* value, const char* flag, Console& console) {
  if (!text.empty()) return;
  text = value;
  console.note(fmt::format("{} not given, {} taken", flag, value));
}

Subject subject_of(const Options& o, Console& console) {
  Subject subject = o.model.empty() ? of_sizes(o, console) : of_model(o, console);
  if (!o.mask.empty()) subject.shape.mask = parse_mask(o.mask, subject.shape.L, {}, "--mask");
  return subject;
}

int gpus_of(const Options& o) {
  need(o.gpus, "--gpus", "a number of ranks");
  return static_cast<int>(whole(o.gpus, "--gpus", 1, most_gpus));
}

bool overlaps(const Options& o) {
  return one_of(o.schedule, "--schedule", {"overlapped", "blocking"}) == "overlapped";
}

Recompute recomputes(const Options& o) {
  const Recompute how =
      parse_recompute(o.recompute.empty() ? "none" : o.recompute, {}, "--recompute");
  if (o.offload && !how.full)
    throw InputError("--offload",
                     fmt::format("expected --recompute full, got {}, only what recomputed layers "
                                 "begin with can wait on the host",
                                 text_of(how)));
  return how;
}

/// A number of tiles, or 0 for "auto".
std::int64_t tiles_of(const std::string& text, const char* flag) {
  if (text == "auto") return 0;
  return text.empty() ? 1 : whole(text, flag, 1, std::int64_t{1} << 40);
}

const Profile& profile_of(const Options& o) {
  return o.profile.empty() ? profiles().front() : find_profile(o.profile);
}

/// A calibrated CPU has no 16-bit kernels.
Recipe recipe_of(const Options& o, const Cluster& cluster, Console& console) {
  const bool calibrated = !cluster.gpu.kernels.measured.empty();
  if (o.recipe.empty() && !calibrated) return recipes().front();
  if (o.recipe.empty()) {
    console.note(fmt::format("--recipe not given, f32 taken: {} was measured in f32 and f64",
                             cluster.gpu.name));
    return find_recipe("f32");
  }
  const Recipe recipe = find_recipe(o.recipe);
  if (calibrated && recipe.weight == DType::bf16)
    throw InputError("--recipe", fmt::format("expected f32 on {}, which was measured in f32 and "
                                             "f64 and runs nothing else, got {}",
                                             one_line(cluster.gpu.name), o.recipe));
  return recipe;
}

Job job_of(const Options& o, Console& console) {
  const Subject subject = subject_of(o, console);
  Job job;
  job.model = subject.name;
  job.shape = subject.shape;
  job.layers = subject.layers;
  job.gpus = gpus_of(o);
  need(o.cluster, "--cluster", "a preset or a YAML file", ", see `ithaca clusters`");
  job.cluster = as_flag("cluster", [&] { return load_cluster(o.cluster); });
  job.overlap = overlaps(o);
  job.vocabulary = subject.vocabulary;
  job.tied = subject.tied;
  job.window = subject.window;
  job.window_layers = o.mask.empty() ? subject.window_layers : 0;
  job.recipe = recipe_of(o, job.cluster, console);
  job.profile = profile_of(o);
  if (!o.adapter_rank.empty())
    job.adapter_rank = whole(o.adapter_rank, "--adapter-rank", 1, job.shape.d);
  job.forward_only = o.forward_only;
  if (o.forward_only && job.adapter_rank > 0)
    throw InputError("--adapter-rank",
                     "expected nothing with --forward-only, where nothing is trained");
  if (!o.micro_batches.empty())
    job.micro_batches = whole(o.micro_batches, "--micro-batches", 1, 1 << 24);
  job.levers = {tiles_of(o.mlp_tiles, "--mlp-tiles"), tiles_of(o.loss_tiles, "--loss-tiles"),
                o.offload, o.optimizer_offload, o.weights_offload};
  if (!o.bucket_elements.empty())
    job.levers.bucket_elements =
        whole(o.bucket_elements, "--bucket-elements", 1, SizeLimits::elements);
  if (!o.comm_chunks.empty())
    job.levers.comm_chunks = whole(o.comm_chunks, "--comm-chunks", 1, SizeLimits::comm_chunks);
  return job;
}

}  // namespace ithaca
