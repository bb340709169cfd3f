// reports/ulysses_race.h -- DeepSpeed-Ulysses against Megatron's sequence parallelism by length, as its authors ran them.
//
// Source: github.com/deepspeedai/DeepSpeed blogs/deepspeed-ulysses, dense models (reports/published/
// deepspeed_ulysses_blog.yaml): 7B on 32 and 30B on 64 A100 of 40 GB.  The source states neither shapes, degrees nor
// batch: "the best performing" of each.  So each side gets here what is predicted to be fastest and fits: every power of
// two as degree, data parallel beside it, one sample a replica; Ulysses over ZeRO-3, Megatron with whole states on each
// replica.  Both recompute in full, as the paper's FLOP/s do.  Whether attention left out the masked half is not stated:
// both readings are raced.
#pragma once

#include "planner/price.h"
#include "reports/published_rows.h"

#include <optional>
#include <string>
#include <vector>

namespace ithaca {

struct RaceModel {
  std::string name;  ///< in the published rows
  std::int64_t layers, hidden, heads;
  int gpus;
  std::string shape_from;  ///< why this shape
};
std::vector<RaceModel> race_models();
/// Of its layers: GPT's, without a length.
LayerShape layer_shape(const RaceModel&);

/// What one side is predicted to reach at best.
struct Racer {
  std::string strategy;
  Mesh mesh;
  double tokens_per_s_per_gpu = 0;
};
struct RaceLength {
  std::int64_t tokens = 0;
  std::optional<double> published_ulysses_tflops,
      published_megatron_tflops;           ///< nothing: not published, or no memory
  bool published = false;                  ///< the length stands in the figure
  std::optional<Racer> ulysses, megatron;  ///< nothing: none fits
  bool megatron_plain = false;             ///< whether Megatron's fits without recompute
  std::optional<double> published_ratio() const;
  std::optional<double> ratio() const;
};
struct Race {
  RaceModel model;
  bool causal = false;  ///< attention leaves out the masked half, else takes the full square
  std::vector<RaceLength> lengths;  ///< 8K and its doubles, until none fits
  /// FLOPs a token by the figures' convention: (6 parameters + 12 layers L d) 4/3, attention full, recompute counted.
  double flops_per_token(std::int64_t tokens) const;
  std::string title() const;  ///< "GPT-7B, causal attention"
};
Race race(const RaceModel&, bool causal, const std::vector<PublishedRow>&);

}  // namespace ithaca
