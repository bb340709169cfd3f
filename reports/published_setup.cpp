#include "reports/published_setup.h"

#include "reports/published_setups.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <numeric>
#include <regex>

namespace ithaca {
namespace {

/// Presets for GPUs as the files name them, by what the name begins with.
struct Machine {
  std::string_view gpu, cluster;
};
constexpr std::array machines{Machine{"A100-PCIe-80GB", "a100-pcie-8"},
                              Machine{"A100-SXM4-80GB as titled", "a100-pcie-4"},  // of yunchang
                              Machine{"A100-SXM4-40GB", "dgx-a100-40g"},
                              Machine{"A100", "dgx-a100-80g"},
                              Machine{"A800", "hgx-a800"},
                              Machine{"B200", "dgx-b200"},
                              Machine{"H100", "dgx-h100"},
                              Machine{"H200", "dgx-h200"},
                              Machine{"H800", "hgx-h800"},
                              Machine{"L20", "l20-8"}};

/// "4x 100 Gb RoCE per node", "4 HCAs": what the row says of a node's NICs takes the place of the preset's.
void take_nics(Cluster& cluster, const std::string& inter) {
  static const std::regex rate(R"((\d+)x (\d+) Gb)"), number(R"((\d+) HCAs)");
  std::smatch found;
  const bool has_rate = std::regex_search(inter, found, rate);
  if (!has_rate && !std::regex_search(inter, found, number)) return;
  cluster.nics_per_node = std::stoll(found[1]);
  if (has_rate) cluster.nic_bytes_per_s = std::stod(found[2]) * 1e9 / 8;
  cluster.inter.bandwidth_bytes_per_s = static_cast<double>(cluster.nics_per_node) *
                                        cluster.nic_bytes_per_s /
                                        static_cast<double>(cluster.gpus_per_node);
}

Cluster cluster_of(const PublishedRow& row) {
  for (const Machine& machine : machines) {
    if (!row.gpu.starts_with(machine.gpu)) continue;
    Cluster cluster = load_cluster(std::string(machine.cluster));
    if (row.gpus_per_node > 0 && row.gpus > row.gpus_per_node)
      cluster.gpus_per_node = row.gpus_per_node;
    take_nics(cluster, row.inter);
    return cluster;
  }
  throw CannotModel{fmt::format("no cluster preset for {}", row.gpu)};
}

bool is_whole(const PublishedModel& m) {
  return m.layers > 0 && m.hidden > 0 && m.heads > 0 && m.intermediate > 0 && m.vocab > 0;
}

LayerShape shape_of(const PublishedRow& row) {
  const PublishedModel& m = row.model;
  const bool attention = row.kind == "attention_layer" && m.heads > 0 && m.hidden > 0;
  if (!attention && !is_whole(m)) throw CannotModel{"the size of the model is not stated"};
  if (row.seq_len == 0) throw CannotModel{"the length is not stated"};
  LayerShape s;
  s.L = row.seq_len;
  s.d = m.hidden;
  s.i = std::max<std::int64_t>(m.intermediate, 1);  // attention alone has none
  s.k = m.kv_heads > 0 ? m.kv_heads : m.heads;
  if (m.heads % s.k != 0) throw CannotModel{"the KV heads do not divide the heads"};
  s.g = m.heads / s.k;
  s.e = m.head_dim > 0 ? m.head_dim : m.hidden / m.heads;
  const bool gated = m.gated_mlp.value_or(true);  // every named model without the flag is a Llama
  s.act = gated ? Act::swiglu : Act::gelu;
  s.norm = gated ? Norm::rms : Norm::layer;
  s.rope = gated;
  s.qk_norm = m.name.starts_with("Qwen3");  // huggingface.co/Qwen/Qwen3-32B, modeling_qwen3.py
  return s;
}

void refuse(const PublishedRow& row) {
  if (row.kind == "memory_model") throw CannotModel{"the value of a model, not a measurement"};
  if (row.kind == "memory_relative")
    throw CannotModel{
        "activations of unfused attention with dropout, which no kernels of ours keep"};
  if (row.model.moe || row.parallelism.ep > 1) throw CannotModel{"mixture of experts"};
  if (says(row.dtype, "fp8")) throw CannotModel{"FP8"};
  if (says(row.dtype, "fp4")) throw CannotModel{"FP4"};
  if (row.dtype.empty() && says(row.framework, "Megatron-Bridge"))
    throw CannotModel{"the dtype is not stated"};
  if (row.gpus == 0) throw CannotModel{"the number of GPUs is not stated"};
}

PublishedSetup begin(const PublishedRow& row) {
  refuse(row);
  PublishedSetup s;
  s.job.model = row.model.name;
  s.job.shape = shape_of(row);
  s.job.shape.b = std::max<std::int64_t>(row.micro_batch, 1);
  s.job.layers = std::max<std::int64_t>(row.model.layers, 1);
  s.job.vocabulary = row.model.vocab;
  s.job.cluster = cluster_of(row);
  s.job.gpus = row.gpus;
  s.job.micro_batches = std::max<std::int64_t>(row.grad_accum, 1);
  s.job.pipeline.stages = std::max(row.parallelism.pp, 1);
  s.job.pipeline.chunks = std::max(row.parallelism.vpp, 1);
  return s;
}

struct Reader {
  std::string_view framework;
  void (*read)(PublishedSetup&, const PublishedRow&);
};
/// By words of the framework, the first that fits.
constexpr std::array readers{Reader{"repo linear_tpsp", read_odysseus},
                             Reader{"ArcticTraining", read_alst},
                             Reader{"HF transformers 4.51.3 + DeepSpeed", read_alst},
                             Reader{"Megatron-DeepSpeed", read_megatron_deepspeed},
                             Reader{"BurstEngine", read_burst_engine},
                             Reader{"BMTrain", read_burst_engine},
                             Reader{"InternEvo", read_internevo},
                             Reader{"composer + llm-foundry", read_composer},
                             Reader{"yunchang", read_yunchang},
                             Reader{"Megatron-Kwai", read_kwai},
                             Reader{"Megatron-Core", read_megatron},
                             Reader{"Megatron-LM", read_megatron}};

/// As many micro-batches as make up the batch of the step where the row does not say.
void take_micro_batches(PublishedSetup& s, const PublishedRow& row) {
  if (row.global_batch == 0 || row.kind == "attention_layer" || row.kind == "layer") return;
  if (row.grad_accum == 0)
    s.job.micro_batches = std::max<std::int64_t>(1, row.global_batch / s.job.shape.b);
}

}  // namespace

bool says(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

Recompute recompute_of(const PublishedRow& row, bool unlabelled) {
  const std::string& text = row.recompute;
  if (text.empty()) return unlabelled;
  if (text == "none") return false;
  if (says(text, "selective-checkpoint++") || says(text, "sequence-level selective") ||
      says(text, "except attention output"))
    return parse_recompute("full-but-attention", {}, "");
  if (text.starts_with("full")) return true;
  // What flash attention does by itself.
  if (text == "selective (attention core)") return false;
  throw CannotModel{fmt::format("recompute \"{}\"", text)};
}

void take_degrees(PublishedSetup& s, const PublishedRow& row, const SplitDegrees& d) {
  const int stated = d.dp * d.ring * d.ulysses * d.tp * s.job.pipeline.stages;
  if (stated != row.gpus)
    throw CannotModel{fmt::format("the degrees stated make up {} of {} GPUs", stated, row.gpus)};
  std::vector<Mesh::Extent> axes;
  const auto add = [&](std::string_view axis, int ranks, const std::string& term) {
    s.strategy += axes.empty() ? term : " * " + term;
    axes.push_back({std::string(axis), ranks});
  };
  const auto add_double = [&](int outer, int inner, const std::string& term) {
    add("o", outer, term);
    axes.push_back({"i", inner});
  };
  const bool grouped = d.state_ranks > 0 && d.state_ranks < d.dp;
  if (grouped && d.dp % d.state_ranks != 0)
    throw CannotModel{"the ranks that share optimizer states do not divide the data ranks"};
  if (grouped) {
    add("p", d.dp / d.state_ranks, "data_ddp(p)");
    add("z", d.state_ranks, fmt::format("data_{}(z)", d.data_keep));
  } else if (d.dp > 1 || stated == s.job.pipeline.stages)
    add("p", d.dp, fmt::format("data_{}(p)", d.data_keep));
  const std::string ring = fmt::format("{}_zigzag_{}", d.ring_table, d.sequence_keep);
  if (d.outer_ring > 1)
    add_double(d.outer_ring, d.ring / d.outer_ring, fmt::format("double_{}(o,i)", ring));
  else if (d.ring > 1)
    add("r", d.ring, ring + "(r)");
  if (d.ulysses > 1) add("u", d.ulysses, fmt::format("ulysses_{}(u)", d.sequence_keep));
  if (d.tp > 1) add("t", d.tp, d.sequence_parallel ? "tp_sp(t)" : "tp(t)");
  s.mesh = Mesh(std::move(axes));
  s.job.shape.b *= d.dp;
}

std::variant<PublishedSetup, Unmodelled> setup_of(const PublishedRow& row) {
  try {
    PublishedSetup s = begin(row);
    const auto reader = std::ranges::find_if(
        readers, [&](const Reader& r) { return says(row.framework, r.framework); });
    if (reader == readers.end())
      throw CannotModel{fmt::format("no reading of \"{}\"", row.framework)};
    reader->read(s, row);
    take_micro_batches(s, row);
    (void)arrange(s.strategy, s.mesh, s.job.shape);
    if (const Pipeline& n = s.job.pipeline; n.on())
      s.reading += fmt::format("{} stages, chunks on each: {}; ", n.stages, n.chunks);
    return s;
  } catch (const CannotModel& reason) {
    return Unmodelled{reason.reason};
  } catch (const InputError& error) {
    return Unmodelled{error.what()};
  }
}

}  // namespace ithaca
