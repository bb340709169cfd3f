// models/profile.h -- what known implementations do where the strategy leaves it open.
//
// The same table of ZeRO-1 sends 2 F P elements a step in Megatron-LM and 3 F P in DeepSpeed (F = (N-1)/N, P
// parameters); the same layer keeps 16 U a token in fused kernels and 25 U in Hugging Face's (U = 2 l d bytes).  To
// compare with a measurement is to price what was measured.  A profile says what an implementation does; it holds no
// fitted number.
#pragma once

#include "models/error.h"
#include "models/strategy.h"

#include <optional>
#include <span>
#include <string_view>

namespace ithaca {

/// Device buffers of an implementation beside the tensors of the step.
struct Buffers {
  /// Gathered weights it may hold at once, whether in use or not, in elements; 0: those in use.
  std::int64_t gathered_elements = 0;
  /// Elements of a bucket of gradients: one that fills and one that is being reduced; 0: none.
  std::int64_t bucket_elements = 0;
  /// Communicators it opens at least, whatever the strategy uses.
  int communicators = 0;
  GradientBuffers gradients = GradientBuffers::none;
};

/// What an implementation runs beside kernels; the rest blocks.
struct Streams {
  bool activations =
      true;  ///< collectives of activations and cotangents, until something needs their result
  bool hops = true;       ///< sends of ring attention, behind the block before
  bool weights = true;    ///< gathered one ahead of their use
  bool gradients = true;  ///< scattered or summed while the backward goes on
  /// What is summed once a step begins with the last micro-batch's backward, layer by layer.
  bool last_sums = false;
};

struct Profile {
  std::string_view name, sentence, source;
  /// Gradients are summed whole before a rank takes its part: under ZeRO-1 once a step, under ZeRO-2 every micro-batch.
  bool all_reduce_gradients = false;
  /// In which gradients are summed over ranks, else as they come: `reduction` of LayerOptions and UpdateOptions.
  std::optional<DType> reduction = {};
  Kernels kernels = {};
  Buffers buffers = {};
  Streams streams = {};
};
/// reference (every sum straight to where it is wanted, fused kernels), deepspeed, megatron, fsdp2 and more.
std::span<const Profile> profiles();
/// The first: what is priced when nothing is said.
bool is_reference(const Profile&);
/// InputError at `place` with `key` for an unknown name.
const Profile& find_profile(std::string_view name, const Place& place = {},
                            std::string_view key = "--profile");

/// The strategy with weight rows as the implementation handles them.
Strategy with_profile(Strategy, const Profile&);

}  // namespace ithaca
