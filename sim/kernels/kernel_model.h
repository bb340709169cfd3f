// sim/kernels/kernel_model.h -- seconds of one compute step on one GPU, and which bound sets them.
//
//     seconds   = launch + max(compute, memory)
//     memory    = bytes of operands and results / (datasheet bandwidth x share by kind of kernel)
//     product   = waves x 2 tile_m tile_n (k + ramp) / rate of a unit,  waves = ceil(tiles / units)   the best tile
//     attention = flops (1 + overhead / keys) / rate x max(1, longest, (1 + tail) / (1 + tail of the measurement))
//
// keys: unmasked ones per query, or queries per key backward.  longest: the longest block's time in units of the whole,
// r SMs / blocks, as a block takes up to r times its mean (1, or 2 under a causal mask).  tail: the part of that which SMs
// wait for the last block.  Wave quantisation: NVIDIA, Matrix Multiplication Background.  Constants: sim/kernels/rates.h.
#pragma once

#include "models/program.h"
#include "sim/cluster.h"

#include <array>
#include <cstdint>
#include <vector>

namespace ithaca {

/// What holds a kernel up.
enum class KernelBound : std::uint8_t { compute, memory, launch };
const char* name_of(KernelBound);

struct KernelTime {
  double compute_s = 0, memory_s = 0, launch_s = 0;
  double seconds() const { return launch_s + (compute_s > memory_s ? compute_s : memory_s); }
  KernelBound bound() const;
};

/// A matrix product of [m, k] and [k, n] on one rank.
struct Product {
  std::int64_t m, n, k;
  bool f32 = false;  ///< operands in f32
  std::int64_t moved_bytes = 0;
};

/// Attention of `heads` (samples x query heads) on one rank.
struct AttentionWork {
  AttentionCode kernel;
  bool backward;
  std::int64_t heads, queries, keys, head_dim;
  std::int64_t pairs;  ///< unmasked, of one head
  std::int64_t moved_bytes = 0;
};

/// At the boost clock, as a benchmark of a few milliseconds runs, or as held in a training step at the power limit.
enum class Clock : std::uint8_t { boost, sustained };

class KernelModel {
 public:
  explicit KernelModel(const Gpu&, Clock = Clock::sustained);
  /// Of a step that computes on the device; what only communicates takes no time.
  KernelTime time(const Program&, const Step&, int rank) const;
  double seconds(const Program& p, const Step& step, int rank) const {
    return time(p, step, rank).seconds();
  }
  KernelTime product(const Product&) const;
  KernelTime attention(const AttentionWork&) const;

 private:
  struct Point {
    std::int64_t head_dim;
    double flops_per_s, overhead_keys;
  };
  using Curve = std::vector<Point>;  ///< by rising head_dim
  const Curve& curve_of(AttentionCode, bool backward, bool causal) const;
  /// At that head_dim, between the two nearest.
  static Point point_of(const Curve&, std::int64_t head_dim);
  double tail_of(const AttentionWork&, bool causal) const;
  double matmul_s(const Product&) const;
  double share_of(const Op&) const;

  KernelRates rates_;
  double matmul_flops_per_s_, attention_flops_per_s_, bandwidth_bytes_per_s_;
  std::array<std::array<Curve, 4>, attention_codes> curves_;
};

}  // namespace ithaca
