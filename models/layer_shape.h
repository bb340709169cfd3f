// models/layer_shape.h -- the sizes and kinds that define one transformer layer on one micro-batch.
//
// One letter, one meaning everywhere: b samples, L tokens of a sample, d hidden, i intermediate, k KV heads,
// g query heads per KV head, e head dimension.  Heads are two dimensions so that grouped-query attention needs
// no code of its own; h = k g, a = h e and c = k e are derived.
#pragma once

#include "models/mask.h"

#include <cstdint>

namespace ithaca {

enum class Norm : std::uint8_t { rms, layer };
/// geglu: gated with tanh-GELU (gemma); silu: the activation of swiglu alone.
enum class Act : std::uint8_t { swiglu, geglu, gelu, silu };
bool is_gated(Act);

/// As model files spell them: "rms", "swiglu".
const char* name_of(Norm);
const char* name_of(Act);
/// As papers spell it: "SwiGLU".
const char* title_of(Act);

struct LayerShape {
  std::int64_t b = 1, L = 0, d = 0, k = 0, g = 1, e = 0, i = 0;
  Norm norm = Norm::rms;
  Act act = Act::swiglu;
  bool rope = true;           ///< rotary positions on q and k
  double rope_theta = 10000;  ///< base of the rotary frequencies
  bool fused_qkv = false;     ///< one weight [d, k, g+2, e] instead of three
  bool qkv_bias = false, o_bias = false, mlp_bias = false;
  bool qk_norm = false;            ///< RMS norm over e of q and k, weights [e]
  bool post_norms = false;         ///< a further norm after each half, before its residual add
  bool parallel_residual = false;  ///< attention and MLP both read x (GPT-NeoX)
  Mask mask = {};                  ///< which keys a query attends to

  std::int64_t h() const { return k * g; }
  std::int64_t a() const { return k * g * e; }
  std::int64_t c() const { return k * e; }
  std::int64_t gates() const { return is_gated(act) ? 2 : 1; }  ///< up-projections of [d, i]
};

/// The shape with L tokens a sample.  InputError with key "--seq" when its mask is a list of documents of another
/// length; drawn documents are drawn again.
LayerShape with_tokens(LayerShape, std::int64_t L);

}  // namespace ithaca
