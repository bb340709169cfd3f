// planner/price.h -- everything the model says of one strategy for one job.
#pragma once

#include "models/catalog.h"
#include "models/model_spec.h"
#include "models/profile.h"
#include "sim/count.h"
#include "sim/overheads.h"
#include "sim/pipeline.h"
#include "sim/step.h"

#include <optional>
#include <string>
#include <vector>

namespace ithaca {

/// What may be given up or moved to make a step fit; none changes what is trained.
struct Levers {
  /// Tiles of the MLP and of logits and loss.  0: as many as ALST takes (arXiv 2506.13996): tokens of a rank over d,
  /// and as many as keep a tile's f32 logits below 1 GiB.
  std::int64_t mlp_tiles = 1, loss_tiles = 1;
  bool offload = false;  ///< inputs of recomputed layers wait in host memory
  bool optimizer_offload =
      false;  ///< optimizer states live in host memory, gradients when they need no further sum
  bool weights_offload = false;  ///< so do matrices, which come for each use
  std::int64_t bucket_elements =
      0;                         ///< most elements of messages that travel as one; 0: each alone
  std::int64_t comm_chunks = 1;  ///< pieces of gathers and scatters around products
  bool operator==(const Levers&) const = default;
};

/// Layers split evenly over stages of GPUs, each with so many chunks of them (Megatron-LM's virtual pipeline).  Stages
/// are the outermost axis: rank r of stage s is GPU s R + r, with R ranks of the mesh.
struct Pipeline {
  int stages = 1, chunks = 1;
  /// Part of what a chunk saves that waits in host memory while other chunks run; copies are behind computation
  /// (Megatron-Kwai, USENIX ATC 2024; the last chunk's, whose backward comes at once, stays).
  double offloaded = 0;
  bool on() const { return stages > 1 || chunks > 1; }
  bool operator==(const Pipeline&) const = default;
};

/// What is to be trained and on what.
struct Job {
  std::string model;  ///< a name for people; the shape is what counts
  LayerShape shape;   ///< with b samples of L tokens in one micro-batch
  std::int64_t layers = 1;
  Cluster cluster;
  int gpus = 1;
  bool overlap = true;          ///< schedule: overlapped, else blocking
  std::int64_t vocabulary = 0;  ///< 0: layers only, without the ends of the network
  bool tied = false;            ///< one table embeds tokens and makes logits
  /// So many layers see only the last `window` tokens, the others what `shape.mask` says.
  std::int64_t window = 0, window_layers = 0;
  Recipe recipe = recipes().front();
  std::int64_t micro_batches = 1;  ///< of one optimizer step
  Levers levers = {};
  std::int64_t adapter_rank = 0;         ///< above 0: only low-rank adapters are trained
  bool forward_only = false;             ///< neither backward nor update
  Profile profile = profiles().front();  ///< of the implementation that is priced
  Pipeline pipeline = {};                ///< gpus = ranks of the mesh times stages
};

/// What a step takes of a GPU and of its host.
struct Need {
  StepMemory memory;
  Overheads overheads;
  int ranks = 1;
  std::int64_t peak_bytes() const { return memory.peak_bytes + overheads.bytes(); }
  /// Host memory all ranks of a node take together.
  std::int64_t host_bytes_per_node(const Cluster&) const;
  bool fits_gpu(const Cluster&) const;
  bool fits_host(const Cluster&) const;
};

/// A pipelined step, stage by stage.
struct PipelinePrice {
  PipelineRun run;                       ///< without the update
  std::vector<std::int64_t> peak_bytes;  ///< by stage: of a rank's tensors
  int fullest = 0;  ///< the stage with most of them: its need and its traffic are told
  std::int64_t hop_bytes =
      0;  ///< the residual stream of a micro-batch, from a rank to the next stage's
  double hop_s = 0;
};

struct PricedStrategy {
  Arrangement arrangement;
  Recompute recompute = {};
  Count count;    ///< one layer, rank 0
  Count update;   ///< of its weight gradients, once a step
  Count step;     ///< all micro-batches and the update of the whole model, or of a stage, rank 0
  Need need;      ///< of the whole step
  StepTime time;  ///< of the whole step; of a pipeline what is not the step is the slowest stage's
  std::optional<PipelinePrice> pipeline = {};
  std::int64_t peak_bytes() const { return need.peak_bytes(); }
};

/// Throws InputError when the strategy is impossible.  `mesh` in the axes of the expression.
PricedStrategy price(const Job&, const std::string& strategy, const Mesh& mesh, const Recompute&);

/// The layers of the model: those with a window, those without.
StepShape step_shape(const Job&, const Strategy&);
/// The layer a price speaks of.
Layer layer_of(const Job&, const Arrangement&, const Recompute&);
/// What the levers come to for a micro-batch of the job.
StepOptions step_options(const Job&, const Arrangement&, const Recompute&);
/// The programs of the whole step; equal layers and tiles each by itself when `unrolled`.
struct StepPrograms {
  MicroBatch micro;
  Update update;
};
StepPrograms step_of(const Job&, const Arrangement&, const Recompute&, bool unrolled = false);
/// The same with layers and ends of its own: a piece of a pipeline.
StepPrograms programs_of(const Job&, const StepShape&, const Arrangement&, const Recompute&,
                         bool unrolled = false);
Need need_of(const Job&, const StepPrograms&);
/// Of the fullest stage where there are several.
Need need_of(const Job&, const Arrangement&, const Recompute&);

}  // namespace ithaca
