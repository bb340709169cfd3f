#include "models/profile.h"

#include "models/nearest.h"

#include <array>

namespace ithaca {
namespace {

// DeepSpeed's defaults: runtime/zero/config.py, stage3_max_live_parameters, stage3_prefetch_bucket_size,
// reduce_bucket_size.  Ulysses adds a sequence group and a sequence-data group to the world's (utils/groups.py).
// It and Megatron-LM keep buffers of gradients: runtime/zero/stage3.py, grad_partitions_flat_buffer; megatron/core,
// distributed/param_and_grad_buffer.py.
constexpr Buffers deepspeed_buffers{1'000'000'000 + 50'000'000, 500'000'000, 3,
                                    GradientBuffers::shards};
constexpr Buffers megatron_buffers{0, 0, 0, GradientBuffers::all};

// torch.distributed without async_op: kernels wait.  DeepSpeed-Ulysses sends so (deepspeed/sequence/layer.py,
// single_all_to_all); its overlap_comm is on by default for ZeRO-3 only (runtime/zero/config.py), Megatron-LM's
// overlap_grad_reduce for none (core/distributed/distributed_data_parallel_config.py).
constexpr Streams blocks_activations{.activations = false};
// torch's DistributedDataParallel and FSDP reduce as gradients come (pytorch.org, "Fully Sharded Data Parallel").
constexpr Streams sums_early{.last_sums = true};

constexpr Kernels flash2() {
  Kernels k;
  k.attention = AttentionKernel::flash2;
  return k;
}
constexpr Kernels megatron() {
  Kernels k = flash2();
  k.fused_sums = true;
  return k;
}
constexpr Kernels transformers() {
  Kernels k = flash2();
  k.norm_copies = k.gate_apart = k.results_held = true;
  k.logits = LogitsKernel::copies;
  return k;
}
/// transformers before 4.45 with projections packed by hand, its own loss kernel.
constexpr Kernels odysseus() {
  Kernels k = transformers();
  k.packed_views = k.rotation_tables = k.whole_gradients = true;
  k.results_held = false;
  k.logits = LogitsKernel::wide;
  return k;
}
constexpr Kernels liger(AttentionKernel attention, std::int64_t norm_elements) {
  Kernels k;
  k.results_held = true;
  k.attention = attention;
  k.norm_elements = norm_elements;
  return k;
}

constexpr std::array all{
    Profile{.name = "reference",
            .sentence = "fused kernels, every sum straight to where it is wanted, in its own type",
            .source = "arXiv 1910.02054"},
    Profile{.name = "deepspeed",
            .sentence = "ZeRO-1 and ZeRO-2 all-reduce buckets of gradients, each rank keeps its "
                        "part; ZeRO-3 holds up to a billion gathered weights",
            .source = "github.com/deepspeedai/DeepSpeed, runtime/zero/stage_1_and_2.py, "
                      "use_multi_rank_bucket_allreduce",
            .all_reduce_gradients = true,
            .kernels = flash2(),
            .buffers = deepspeed_buffers,
            .streams = blocks_activations},
    Profile{.name = "megatron",
            .sentence =
                "the distributed optimizer reduce-scatters gradients in f32; its buffers are f32 "
                "too with the recipe mixed-f32-grads, and products add to them",
            .source = "github.com/NVIDIA/Megatron-LM, training/arguments.py, "
                      "accumulate_allreduce_grads_in_fp32",
            .reduction = DType::f32,
            .kernels = megatron(),
            .buffers = megatron_buffers},
    Profile{.name = "fsdp2",
            .sentence = "gradients are reduce-scattered in their own type",
            .source = "pytorch.org, fully_shard, MixedPrecisionPolicy.reduce_dtype",
            .kernels = flash2(),
            .streams = sums_early},
    Profile{.name = "hf-deepspeed",
            .sentence = "Hugging Face layers in eager mode under DeepSpeed",
            .source = "github.com/huggingface/transformers v4.51.3, models/llama/modeling_llama.py",
            .all_reduce_gradients = true,
            .kernels = transformers(),
            .buffers = deepspeed_buffers,
            .streams = blocks_activations},
    Profile{
        .name = "hf-liger-deepspeed",
        .sentence = "Hugging Face layers with Liger kernels and FlashAttention 3 under DeepSpeed",
        .source = "github.com/linkedin/Liger-Kernel v0.6.1, ops/rms_norm.py, ops/swiglu.py",
        .all_reduce_gradients = true,
        .kernels = liger(AttentionKernel::flash3, 0),
        .buffers = deepspeed_buffers,
        .streams = blocks_activations},
    Profile{.name = "hf-liger-0.5-deepspeed",
            .sentence = "the same with FlashAttention 2 and Liger before 0.6.1, whose norms index "
                        "with 32 bits",
            .source = "github.com/linkedin/Liger-Kernel issue 803 and pull request 804",
            .all_reduce_gradients = true,
            .kernels = liger(AttentionKernel::flash2, (std::int64_t{1} << 31) - 1),
            .buffers = deepspeed_buffers,
            .streams = blocks_activations},
    Profile{.name = "hf-fsdp1",
            .sentence = "Hugging Face layers in eager mode, packed projections, FSDP",
            .source = "github.com/feifeibear/Odysseus-Transformer, train.py, decoder/",
            .kernels = odysseus(),
            .streams = blocks_activations}};

}  // namespace

std::span<const Profile> profiles() {
  return all;
}

bool is_reference(const Profile& profile) {
  return profile.name == all.front().name;
}

const Profile& find_profile(std::string_view name, const Place& place, std::string_view key) {
  return named(profiles(), name, place, key);
}

Strategy with_profile(Strategy s, const Profile& profile) {
  s.attention.weights.all_reduce = s.mlp.weights.all_reduce = profile.all_reduce_gradients;
  if (s.ends) s.ends->weights.all_reduce = profile.all_reduce_gradients;
  return s;
}

}  // namespace ithaca
