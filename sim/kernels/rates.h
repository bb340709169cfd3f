// sim/kernels/rates.h -- what one GPU type's kernels reach, as data: cluster_specs/kernels/*.yaml.
//
// Rates are fractions of the datasheet's bf16 peak at the boost clock, as short benchmarks find them.  In a training step
// the GPU is at its power limit and holds a lower clock: `sustained` is that share of the rates, for matrix products and
// for attention.  A file may name a `family` whose sections it starts from (families/hopper.yaml); its own sections
// override key by key.  With no rates at all (sms = 0) kernels are a plain roofline.
#pragma once

#include "sim/kernels/measured.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

/// Implementations of attention that benchmarks tell apart.  unfused: PyTorch's, scores in memory.
enum class AttentionCode : std::uint8_t { unfused, flash1, flash2, flash3, flash4, cudnn, tiled };
constexpr std::size_t attention_codes = 7;
const char* name_of(AttentionCode);

/// FLOP/s of attention by the unmasked keys of a query: peak fraction keys / (keys + overhead).  FLOPs are 4 head_dim a
/// pair forward, 10 backward, of unmasked pairs only; overhead is what a query (backward: a key) costs besides, in keys:
/// filling and draining its tile, and under a causal mask the masked half of the tile on the diagonal.
struct AttentionCurve {
  AttentionCode kernel;
  bool backward, causal;
  std::int64_t head_dim;
  double fraction, overhead_keys;
};

struct AttentionRates {
  std::int64_t tile_forward = 128, tile_backward = 128;  ///< queries, or keys, a block
  /// Blocks are handed to SMs as these come free; at the end most wait for the last: up to its whole time, `tail` of it.
  /// The curves hold for `full_at` blocks; fewer wait longer.
  std::int64_t full_at = 2048;
  double tail_forward = 0, tail_backward = 0;
  std::array<AttentionCode, attention_codes> stand_in{
      AttentionCode::unfused, AttentionCode::flash1, AttentionCode::flash2, AttentionCode::flash3,
      AttentionCode::flash4,  AttentionCode::cudnn,  AttentionCode::tiled};
  /// Too slow to reach the power limit: they run at the boost clock where others are held below it.
  std::array<bool, attention_codes> at_boost{};
  std::vector<AttentionCurve> curves;
};

/// A product of [m, k] and [k, n]: tiles of m x n are made `sms / units` at a time, each in time proportional to
/// k + ramp; ramp is what filling and draining a tile of bf16 costs, in k: more by the bytes an element takes or adds to.
struct MatmulRates {
  struct Tile {
    std::int64_t m, n;
  };
  double fraction = 1;           ///< of the peak, with whole waves and long k
  double small_tile = 1;         ///< of that, for tiles below 256 x 128
  double f32 = 1;                ///< of that, for operands in f32
  std::vector<Tile> tiles = {};  ///< the library takes the one that ends first
  std::int64_t units = 1;        ///< SMs that make one tile
  double ramp = 0;
};

/// Shares of the datasheet's memory bandwidth, by what a kernel does.
struct MemoryRates {
  double stream = 1;         ///< element by element, copies, and operands of products
  double norm = 1;           ///< a row is reduced, then read again from the SM
  double norm_grad = 1;      ///< rows are reduced into gradients of gains and biases too
  double activate_grad = 1;  ///< of gated activations
};

struct KernelRates {
  std::string name, source;
  double peak_flops_per_s = 0;  ///< the bf16 peak the file's rates are taken of
  std::int64_t sms = 0;
  double boost_hz = 0;
  double matmul_sustained = 1, attention_sustained = 1;
  MatmulRates matmul;
  MemoryRates memory;
  double launch_s = 0;  ///< what a kernel takes whatever it does
  AttentionRates attention;
  MeasuredKernels measured;  ///< of a CPU; where there are any, they answer and nothing else
};

/// Of a preset's name or a path to a YAML file.  InputError when there is none or it is wrong in any way.
KernelRates load_kernels(const std::string& name_or_path);
/// Of a map that stands where a name could.
KernelRates read_kernels(const Yaml&);

/// The presets, sorted; one for each GPU of cluster_specs/gpus.
std::vector<std::string> kernel_names();

}  // namespace ithaca
