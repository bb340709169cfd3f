#include "reports/published_setups.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace ithaca {
namespace {

constexpr std::int64_t everything = std::int64_t{1}
                                    << 40;  ///< elements of one message, without limit

int at_least_one(int n) {
  return std::max(n, 1);
}

// github.com/NVIDIA/Megatron-LM, examples/sc21/CONFIG.sh and run_table_1.sh: --fp16 keeps and sums gradients in 16 bits;
// DDP=torch where there is no pipeline.  Products add to gradients since February 2022.
void read_early_megatron(PublishedSetup& s, const PublishedRow& row) {
  s.job.recipe = find_recipe("mixed");
  s.job.profile.reduction = {};
  s.job.profile.kernels.fused_sums = false;
  s.job.profile.streams.last_sums = says(row.framework, "2021") && row.parallelism.pp <= 1;
}

}  // namespace

// github.com/feifeibear/Odysseus-Transformer, train.py: torch's AdamW on bf16 parameters, every other weight under
// FSDP's root unit, which keeps gathered weights for the backward; decoder/ packs q, k and v for tensor parallelism.
void read_odysseus(PublishedSetup& s, const PublishedRow& row) {
  s.job.profile = find_profile("hf-fsdp1");
  s.job.recipe = find_recipe("bf16");
  s.recompute = recompute_of(row, false);
  const PublishedParallelism& p = row.parallelism;
  const bool ring = p.ring_cp > 0, ulysses = p.ulysses > 0;
  s.job.shape.fused_qkv = !ring && !ulysses;
  const char* const axis = ring ? "r" : ulysses ? "u" : "t";
  s.mesh = Mesh({{axis, row.gpus}});
  if (!ring && !ulysses) s.allocator.max_split_bytes = 1 << 30;  // run.sh
  if (ring)
    s.strategy = "ring_zigzag_gradop(r)";
  else if (ulysses)
    s.strategy = "ulysses_gradop(u)";
  else if (says(p.odysseus, "own ZeRO-3 linear"))
    s.strategy = "odysseus_zero3(t) | local_zero3(t) | local_gradop(t)";
  else if (says(p.odysseus, "FSDP"))
    s.strategy = "tp_sp(t) | local_gradop(t)";
  else
    s.strategy = "tp_sp(t) | tp_sp(t) | local_gradop(t)";
}

// github.com/snowflakedb/ArcticTraining, projects/sequence-parallelism/*.yml; arXiv 2506.13996 section 5.
void read_alst(PublishedSetup& s, const PublishedRow& row) {
  const bool liger = says(row.framework, "Liger") && !says(row.framework, "no Liger");
  const bool flash3 = says(row.attention, "flash_attention_3");
  s.job.profile = find_profile(!liger   ? "hf-deepspeed"
                               : flash3 ? "hf-liger-deepspeed"
                                        : "hf-liger-0.5-deepspeed");
  s.job.recipe = find_recipe("mixed");
  s.allocator.expandable = true;
  if (row.gpu.starts_with("H100")) s.job.cluster.host_memory_bytes = 1'900'000'000'000;
  s.recompute = true;
  Levers& levers = s.job.levers;
  levers.loss_tiles = liger ? 0 : 1;
  levers.mlp_tiles = says(row.framework, "TiledMLP") && !says(row.framework, "no TiledMLP") ? 0 : 1;
  levers.offload = says(row.offload, "activation checkpoints");
  levers.optimizer_offload = true;
  levers.weights_offload = says(row.offload, "param");
  // The recipes named no-ulysses and baseline carry the sequence_parallel_size of their neighbours; their lengths are
  // those of the paper's rows without Ulysses, one sample a GPU.
  const bool data =
      row.parallelism.ulysses <= 1 || says(row.id, "no-ulysses") || says(row.id, "baseline");
  SplitDegrees d;
  (data ? d.dp : d.ulysses) = row.gpus;
  if (data && row.parallelism.ulysses > 1) s.reading += "one sample a GPU, no Ulysses; ";
  take_degrees(s, row, d);
}

// arXiv 2408.16978; github.com/deepspeedai/DeepSpeed, blogs/ulysses-offload; ZeRO over all ranks.
// github.com/thunlp/BurstEngine, evaluation/baselines/Megatron-DeepSpeed, script/ulysses.sh: checkpoint-activations; its
// --cpu-optimizer is not taken up: the sheets say offload where there is any, and of these rows they say nothing.
void read_megatron_deepspeed(PublishedSetup& s, const PublishedRow& row) {
  if (says(row.attention, "FPDT"))
    throw CannotModel{"chunks of the sequence whose q, k and v wait in host memory (FPDT)"};
  const PublishedParallelism& p = row.parallelism;
  s.job.profile = find_profile("deepspeed");
  // The loss is taken from logits cast to f32: in their place by vocab_parallel_cross_entropy, with softmax and its
  // logarithm beside them by vocab_sequence_parallel_cross_entropy (megatron/model/gpt_model.py,
  // megatron/core/sequence_parallel/cross_entropy.py).
  s.job.profile.kernels.logits = p.ulysses > 1 ? LogitsKernel::copies : LogitsKernel::wide;
  s.job.recipe = find_recipe("mixed");
  s.recompute = recompute_of(row, row.file == "burstengine");
  s.job.levers.offload = says(row.offload, "activation checkpoints");
  s.doubling = row.metric("max_seq_len").has_value();
  if (s.doubling) {
    // The authors' script trains on GPT-2's vocabulary: github.com/microsoft/Megatron-DeepSpeed,
    // examples_deepspeed/sequence_parallel/ds_pretrain_gpt_6.7B_fpdt_32k.sh.
    s.job.vocabulary = 50257;
    s.reading = "vocabulary of the authors' script, 50257; lengths doubled; ";
  }
  SplitDegrees d;
  d.dp = at_least_one(p.dp);
  d.ulysses = at_least_one(p.ulysses);
  d.tp = at_least_one(p.tp);
  d.sequence_parallel = p.sp.value_or(false);
  if (p.zero_stage == "1") d.data_keep = d.sequence_keep = "zero1";
  if (p.zero_stage == "2") d.data_keep = d.sequence_keep = "zero2";
  take_degrees(s, row, d);
}

// github.com/thunlp/BurstEngine, evaluation/baselines/Megatron-LM/multi.sh: full recompute (Megatron-LM has no other of
// those the sheets name), distributed optimizer, gradients in f32 as --bf16 asks for.  SimuMax's rows say so themselves.
void read_megatron(PublishedSetup& s, const PublishedRow& row) {
  s.job.profile = find_profile("megatron");
  // cef: cross-entropy fusion.  Without it the loss is taken from an f32 copy, in its place (megatron/core,
  // tensor_parallel/cross_entropy.py, calculate_logits_max).
  if (!says(row.notes, "cef")) s.job.profile.kernels.logits = LogitsKernel::wide;
  s.job.shape.fused_qkv = s.job.shape.k % at_least_one(row.parallelism.tp) == 0;
  // Korthikanti's figure 1 has 18 bytes a parameter too: gradients in f32.
  s.job.recipe = find_recipe("mixed-f32-grads");
  s.recompute = row.file == "burstengine" ? Recompute(true) : recompute_of(row, false);
  s.allocated_peak = true;
  if (says(row.framework, "2020") || says(row.framework, "2021")) read_early_megatron(s, row);
  // arXiv 1909.08053 section 5.1: the batch of a replica goes through at once.
  if (says(row.framework, "2020"))
    s.job.shape.b = row.global_batch / at_least_one(row.parallelism.dp);
  // TransformerEngine takes cuDNN's attention where it can: attention/dot_product_attention/utils.py.
  if (says(row.attention, "unfused")) s.job.profile.kernels.attention = AttentionKernel::unfused;
  if (says(row.attention, "TE fused")) {
    s.job.profile.kernels.attention = AttentionKernel::cudnn;
    s.job.profile.kernels.keeps_empty_gradients = true;
  }
  if (says(row.recompute, "attention core")) s.reading = "attention as flash attention has it; ";
  const PublishedParallelism& p = row.parallelism;
  SplitDegrees d;
  d.dp = at_least_one(p.dp);
  d.tp = at_least_one(p.tp);
  // TransformerEngine's all-to-all context parallelism is Ulysses; it is listed under both names.
  const bool all_to_all = says(p.cp_variant, "a2a");
  d.ulysses = all_to_all ? at_least_one(p.ulysses) : 1;
  d.ring = all_to_all ? 1 : at_least_one(p.ring_cp);
  d.data_keep = d.sequence_keep = p.zero_stage == "0" ? "ddp" : "zero1";
  d.sequence_parallel = p.sp.value_or(true);
  take_degrees(s, row, d);
}

// github.com/kwai/Megatron-Kwai, branch atc24ae (USENIX ATC 2024).  pretrain_llama.sh: gradients in f32, distributed
// optimizer (over data and context ranks), sequence parallelism.  Context parallelism gathers keys and values and keeps
// a rank's part (megatron/core/context_parallel/dattention.py).  The MLP's activation is torch's silu and a product,
// which both stay unless recomputed (megatron/model/transformer.py); the loss is taken from an f32 copy
// (megatron/model/gpt_model.py).  alpha of what a chunk saves waits on the host (pipeline_parallel/offload.py).
void read_kwai(PublishedSetup& s, const PublishedRow& row) {
  s.job.profile = find_profile("megatron");
  Kernels& kernels = s.job.profile.kernels;
  kernels.logits = LogitsKernel::wide;
  if (says(row.recompute, "MLP activation function"))
    s.recompute.norm = s.recompute.act = true;
  else
    s.recompute = recompute_of(row, false);
  kernels.gate_apart = !s.recompute.act;
  s.job.recipe = find_recipe("mixed-f32-grads");
  s.allocated_peak = true;
  const std::string alpha = "alpha=";
  if (const std::size_t at = row.offload.find(alpha); at != std::string::npos)
    s.job.pipeline.offloaded = std::stod(row.offload.substr(at + alpha.size()));
  const PublishedParallelism& p = row.parallelism;
  SplitDegrees d;
  d.dp = at_least_one(p.dp);
  d.ring = at_least_one(p.ring_cp);
  d.ring_table = "kv_gather";
  if (d.ring > 1) s.reading = "keys and values gathered, as the code has it; ";
  d.tp = at_least_one(p.tp);
  d.data_keep = d.sequence_keep = "zero1";
  take_degrees(s, row, d);
}

namespace {

/// A ring over several nodes is a double one (cpm/layers/attention.py, double_comm) unless an ablation leaves that out.
/// InternEvo's window is a quarter of the ring (evaluation/baselines/InternEvo, configs/7B_llama2.py, window_size).
void take_outer_ring(PublishedSetup& s, SplitDegrees& d, const PublishedRow& row) {
  if (!says(row.parallelism.cp_variant, "double") || d.ring <= row.gpus_per_node) return;
  if (says(row.framework, "InternEvo"))
    d.outer_ring = 4;
  else if (says(row.id, "Baseline") && !says(row.id, "double"))
    s.reading += "one ring: the label names no double ring; ";
  else
    d.outer_ring = d.ring / row.gpus_per_node;
}

}  // namespace

// github.com/thunlp/BurstEngine, BurstEngine/apps/llama/multi.sh and cpm/layers/transformer.py: every block is
// checkpointed and under BMTrain's ZeRO-3, which gathers one block at a time as FSDP2 does.  torch's allocated and
// reserved peak are both logged; the sheets do not say which of them "Mem" is.
void read_burst_engine(PublishedSetup& s, const PublishedRow& row) {
  s.job.profile = find_profile("fsdp2");
  s.job.recipe = find_recipe("mixed");
  s.allocated_peak = true;
  s.job.levers.optimizer_offload = says(row.offload, "optimizer");
  s.job.levers.weights_offload = says(row.offload, "param");
  if (says(row.recompute, "sequence-level"))
    s.reading = "all results of attention kept, not half; ";
  if (says(row.id, "sl_loss")) s.job.levers.loss_tiles = 0;
  const PublishedParallelism& p = row.parallelism;
  // Sheets that have rows "w/o sele-ckpt" or "Baseline" mean selective checkpoints where they say nothing.
  const bool plain =
      says(row.id, "w/o_sele") || (says(row.id, "Baseline") && !says(row.id, "sl_ckpt"));
  const bool selective_sheet = says(row.id, "-Burst-") || says(row.id, "-LoongTrain-");
  if (plain)
    s.recompute = true;
  else if (selective_sheet)
    s.recompute = parse_recompute("full-but-attention", {}, "");
  else
    s.recompute = recompute_of(row, true);
  SplitDegrees d;
  // Their rings keep no block that came by: it comes again in the backward.
  d.ring_table = "ring_homing";
  d.dp = at_least_one(p.dp);
  if (says(row.framework, "InternEvo")) d.data_keep = "zero1";
  const int sequence = row.gpus / d.dp;
  const bool mixed = says(p.cp_variant, "Ulysses") || says(p.cp_variant, "USP");
  if (mixed) {
    // Heads within a node, a ring across nodes, as the sheets' "intraUlysses".
    d.ulysses = static_cast<int>(
        std::gcd(std::int64_t{std::gcd(sequence, row.gpus_per_node)}, s.job.shape.h()));
    d.ring = sequence / d.ulysses;
    s.reading += "Ulysses within a node, a ring across nodes; ";
  } else {
    d.ring = at_least_one(p.ring_cp);
    d.ulysses = at_least_one(p.ulysses);
    take_outer_ring(s, d, row);
  }
  take_degrees(s, row, d);
}

// github.com/InternLM/InternEvo.  LoongTrain's rows (github.com/thunlp/BurstEngine, evaluation/baselines/InternEvo,
// configs/7B_llama2.py): checkpoint=True, weights sharded over the whole sequence group, states over data ranks too.
void read_internevo(PublishedSetup& s, const PublishedRow& row) {
  if (row.file == "burstengine") {
    read_burst_engine(s, row);
    return;
  }
  s.job.profile = find_profile("fsdp2");
  // doc/en/install.md installs flash-attention v1.0.5, which its container images have; later ones are allowed.
  s.job.profile.kernels.attention = AttentionKernel::flash1;
  s.job.profile.kernels.norm_widens = true;
  s.reading = "FlashAttention 1, as its images have it; ";
  s.job.recipe = find_recipe("mixed");
  s.job.levers.bucket_elements = 512 << 20;  // configs/7B_sft.py, reduce_bucket_size
  s.job.shape.fused_qkv = true;              // internlm/model/modules/multi_head_attention.py, Wqkv
  // internlm/model/modules/mlp.py: w1 and w3 apart, multiple_of.
  s.job.profile.kernels.gate_apart = true;
  s.job.shape.i = (s.job.shape.i + 255) / 256 * 256;
  s.recompute = recompute_of(row, false);
  // Norms are checkpointed where layers are not: modeling_internlm.py, dropout_selective_checkpoint.
  s.recompute.norm = !s.recompute.full;
  const PublishedParallelism& p = row.parallelism;
  SplitDegrees d;
  d.tp = at_least_one(p.tp);
  d.dp = p.dp > 0 ? p.dp : row.gpus / d.tp;
  d.sequence_parallel = p.sp.value_or(false);
  if (says(p.zero_stage, "ZeRO-1")) d.data_keep = "zero1";
  if (const auto at = p.zero_stage.find("within "); at != std::string::npos)
    d.state_ranks = std::stoi(p.zero_stage.substr(at + 7));
  take_degrees(s, row, d);
}

// github.com/mosaicml/llm-foundry, scripts/train/benchmarking: FSDP FULL_SHARD over all GPUs, one unit a block, next
// unit prefetched; mixed_precision PURE, the default of its files, is bf16 for weights and gradients on the wire,
// DEFAULT f32 for these (github.com/mosaicml/composer, composer/distributed/mosaic_fsdp.py).  MPT ties its tables and
// has no biases.
void read_composer(PublishedSetup& s, const PublishedRow& row) {
  s.job.profile = find_profile("fsdp2");
  s.job.recipe = find_recipe("mixed");
  s.job.tied = true;
  s.job.shape.rope = false;
  s.job.shape.fused_qkv = true;
  s.job.levers.bucket_elements = everything;  // a block is one flat parameter
  if (says(row.notes, "DEFAULT")) s.job.profile.reduction = DType::f32;
  // submit_benchmarks.py asks for attn_impl triton, which is FlashAttention 1, and installs `.[gpu]`, flash-attn 1.0.9;
  // for the tables of 128 GPUs and more (pull request 838) it installs `.[gpu-flash2]`.
  const bool large = says(row.locator, "Large Scale");
  s.job.profile.kernels.attention = large ? AttentionKernel::flash2 : AttentionKernel::flash1;
  if (!large) s.reading = "FlashAttention 1 in Triton as that in CUDA; ";
  s.recompute = recompute_of(row, false);
  SplitDegrees d;
  d.dp = row.gpus;
  if (says(row.parallelism.zero_stage, "SHARD_GRAD_OP")) d.data_keep = "gradop";
  take_degrees(s, row, d);
}

// github.com/feifeibear/long-context-attention, benchmark/benchmark_longctx.py: forward only, all-to-alls of q, k and v
// apart unless qkvpack; ring_impl_type basic, zigzag or strip.
void read_yunchang(PublishedSetup& s, const PublishedRow& row) {
  s.job.profile.kernels.attention = AttentionKernel::flash2;
  const PublishedParallelism& p = row.parallelism;
  const char* const deal = says(p.cp_variant, "zigzag")  ? "ring_zigzag"
                           : says(p.cp_variant, "strip") ? "ring_stripes"
                                                         : "ring";
  const int ulysses = at_least_one(p.ulysses), ring = at_least_one(p.ring_cp);
  if (ulysses * ring != row.gpus)
    throw CannotModel{
        fmt::format("the degrees stated make up {} of {} GPUs", ulysses * ring, row.gpus)};
  s.mesh = Mesh({{"r", ring}, {"u", ulysses}});
  s.strategy = fmt::format("{}_ddp(r) * ulysses_ddp(u)", deal);
  if (says(row.id, "qkvpack")) s.job.levers.bucket_elements = everything;
}

}  // namespace ithaca
