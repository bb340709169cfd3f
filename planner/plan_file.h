// planner/plan_file.h -- plan.yaml: one choice for one job, complete enough to be run anywhere.
//
//     schema: ithaca/1
//     kind: plan
//     model: llama-3.1-8b            # a name for people
//     layers: 32
//     layer: {d: 4096, i: 14336, k: 8, g: 4, e: 128, norm: rms, act: swiglu, rope: true, rope_theta: 500000, ...,
//             mask: causal}          # models/mask.h; causal when absent
//     batch: 1                       # samples in one micro-batch
//     seq: 131072                    # tokens of a sample
//     cluster: dgx-a100-80g          # preset or file
//     gpus: 8
//     mesh: {u: 8}                   # axes of the strategy, slowest links first
//     strategy: ulysses_zero3(u)     # models/catalog.h
//     recompute: full                # none | full | selective, or classes: norm+act+up
//     vocabulary: 128256             # left out: layers only; and `tied: true`
//     window: {tokens: 4096, layers: 21}   # layers that see only so many tokens back
//     profile: deepspeed             # models/profile.h; reference when absent
//     recipe: mixed                  # models/recipe.h; micro_batches: 4
//     levers: {mlp_tiles: 0, loss_tiles: 0, offload: true, optimizer_offload: false}   # planner/price.h
//     adapter_rank: 8   # or forward_only: true; weights_offload: true, bucket_elements: 100000000 and comm_chunks: 4 are further levers
//     schedule: overlapped           # blocking | overlapped
//     predicted: {step: "13.03 s", peak: "27487790694 B", sent: "2034237440 B"}   # for people; read back by report
#pragma once

#include "planner/plan.h"

#include <string>

namespace ithaca {

struct PlanFile {
  Job job;
  std::string cluster;  ///< as it was named
  std::string strategy;
  Mesh mesh;  ///< in the axes of the strategy
  Recompute recompute = {};
  double step_s = 0;
  std::int64_t peak_bytes = 0, sent_bytes = 0;
};

/// Text of plan.yaml.
std::string to_yaml(const PlanFile&);
/// InputError with place and key for anything wrong; job.cluster is loaded.
PlanFile load_plan(const std::string& path);

/// EnvironmentError unless a file can be written there: asked before long work.
void check_writable(const std::string& path);

/// Writes text to a temporary name beside `path` and renames it; a device or pipe is written as it is and a link is
/// followed.  EnvironmentError when it cannot.
void write_file(const std::string& path, const std::string& text);

}  // namespace ithaca
