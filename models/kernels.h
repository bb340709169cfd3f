// models/kernels.h -- what an implementation's kernels make and keep beyond what the mathematics needs.
//
// The layer is the same; an implementation writes it in more steps (a cast of its own, a product of its own) or keeps
// values longer.  Which one does what is data: models/profile.h.
#pragma once

#include <cstdint>

namespace ithaca {

/// How attention's backward works beside its operands and results.
///   tiled:  nothing beyond tiles (this project's CPU kernel)
///   flash2: dq summed in f32; dk and dv of every query head, summed over the group afterwards
///           (Dao-AILab/flash-attention v2.7.4, csrc/flash_attn/flash_api.cpp, mha_bwd: dq_accum, dk_expanded)
///   flash3: dq summed in f32; with grouped queries dk and dv too (hopper/flash_api.cpp, mha_bwd: dk_accum)
///   flash1: dq summed in f32 (v1.0.9, csrc/flash_attn/fmha_api.cpp, mha_bwd: dq_tmp); taken as flash3 with groups
///   cudnn:  taken as flash3
///   unfused: scores in memory; that memory is not modelled, its time is
/// How fast each is: sim/kernels/rates.h.
enum class AttentionKernel : std::uint8_t { tiled, flash2, flash3, flash1, cudnn, unfused };
const char* name_of(AttentionKernel);

/// What the loss makes of logits.
///   fused:  nothing beside them; their gradient takes their place
///   wide:   an f32 copy beside them, from which the loss is taken (transformers before 4.45, LlamaForCausalLM.forward)
///   copies: logits, f32 copy and log-softmax all stay (transformers, ForCausalLMLoss, with torch's cross_entropy)
enum class LogitsKernel : std::uint8_t { fused, wide, copies };

/// Which gradients have a buffer from before the step to its end, to which they are added: none, those of weights that
/// are sharded flat (ZeRO-3), all.
enum class GradientBuffers : std::uint8_t { none, shards, all };

struct Kernels {
  /// An RMS norm casts to f32, keeps that copy and the normalized rows in the weights' type, and multiplies by its gain
  /// in a step of its own (transformers, LlamaRMSNorm.forward).
  bool norm_copies = false;
  /// A fused norm reads an f32 copy, which it keeps (InternEvo, internlm/model/modeling_internlm.py: norm1(residual.float())).
  bool norm_widens = false;
  /// Gate and up are two products; act(gate) is kept beside its product with up (transformers, LlamaMLP.forward).
  bool gate_apart = false;
  /// Packed q, k and v are views: the packed buffer lives as long as v does.
  bool packed_views = false;
  /// Cosines and sines are made anew in every layer and kept (transformers before 4.45, LlamaRotaryEmbedding).
  bool rotation_tables = false;
  LogitsKernel logits = LogitsKernel::fused;
  /// The result of a recomputed layer and its cotangent stay until the layer's backward is done (torch.utils.checkpoint,
  /// CheckpointFunction.backward: `outputs`, `args`).
  bool results_held = false;
  /// Gradients of gathered weights stay whole until the backward is over (FSDP with one unit for all: its hook runs when
  /// the last of them is there).
  bool whole_gradients = false;
  /// The product that makes a weight's gradient adds it to the sum over micro-batches: a matrix product with beta = 1
  /// into an f32 result, instead of an addition of its own (Megatron-LM since February 2022, megatron/core,
  /// tensor_parallel/layers.py, gradient_accumulation_fusion); autograd gets an empty gradient (ibid., grad_weight).
  bool fused_sums = false;
  /// Of layers, one empty gradient of every shape is there for good (TransformerEngine, pytorch/module/base.py,
  /// get_dummy_wgrad); else each is gone with its product.
  bool keeps_empty_gradients = false;
  AttentionKernel attention = AttentionKernel::tiled;
  /// Elements of the largest tensor a norm can index; 0: any.
  std::int64_t norm_elements = 0;
};

}  // namespace ithaca
