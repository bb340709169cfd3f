// models/strategy.h -- a strategy is a table: where values lie at the cuts of a layer, where weights are kept.
//
// No strategy names a collective: collectives follow from the changes between the rows.  Tables on different
// axes compose: `a * b` joins axes (a's are major), `a | b` takes attention from a and the MLP from b.
#pragma once

#include "models/builder.h"
#include "models/layer_shape.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

/// The axes over which one strategy spreads heads.  With fewer KV heads than ranks the axis is split: KV heads are
/// sharded over `kv` and copied over `rep`, which shards the queries of a KV head instead.  `rep` is major.
struct HeadAxes {
  AxisList rep, kv;
  AxisList all() const { return rep + kv; }
};

/// How the weights of one half are kept.  `cut`: dims sharded both at rest and in use (tensor parallelism).
/// `flat`: axes over which the rest is sharded at rest and gathered for use (ZeRO-3); gradients are scattered back
/// to it.  Without `flat` gradients stay partial until the update (data parallelism).  `state`: further axes over
/// which the optimizer's states are sharded flat (ZeRO-1); the update scatters gradients to them and gathers the
/// weights.  `scatter`: those of them over which every micro-batch's gradient is scattered at once (ZeRO-2).
/// Gains and biases follow `cut` and `state`, never `flat`.
struct WeightRow {
  Layout cut;
  AxisList flat;
  bool serve_backward =
      true;  ///< under recompute, weights gathered once serve recomputation and gradient
  AxisList state = {}, scatter = {};
  bool all_reduce =
      false;  ///< gradients are summed whole before a rank takes its part, as DeepSpeed's buckets are
  bool keep =
      false;  ///< weights gathered for the forward serve the backward (FSDP's SHARD_GRAD_OP)
};

struct AttentionTable {
  Layout in;       ///< normalized input of the QKV projection
  Layout q, kv;    ///< operands of attention
  Layout context;  ///< input of the output projection
  WeightRow weights;
  std::optional<Ring> ring;
  bool keep_kv = false;  ///< gathered keys and values serve the backward too
};

struct MlpTable {
  Layout in;
  WeightRow weights;
};

struct Strategy {
  Layout residual;  ///< the stream between halves and layers
  AttentionTable attention;
  MlpTable mlp;
  /// Embedding, final norm and head; as the MLP when absent, the vocabulary cut where its intermediate dimension is.
  std::optional<MlpTable> ends = {};
};

/// Joins tables on different axes; a's axes are major.
Strategy operator*(const Strategy& a, const Strategy& b);
/// Attention and residual stream of a, MLP and ends of b.
Strategy operator|(const Strategy& a, const Strategy& b);

/// `dim` sharded over axes, major first.
Layout over(DimName dim, const AxisList& axes, Deal deal = Deal::blocks);
/// k over the KV axes and g over the replicas.
Layout heads(const HeadAxes&);
/// Every value of the layer sharded along `dim` over `axes`; weights as `weights` says.
Strategy everywhere(DimName dim, const AxisList& axes, const WeightRow& weights,
                    Deal deal = Deal::blocks);

// ---- one table a file, in strategies/ --------------------------------------------------------------------

WeightRow ddp();
WeightRow zero1(const AxisList& axes);
WeightRow zero2(const AxisList& axes);
WeightRow zero3(const AxisList& axes);
WeightRow gradop(const AxisList& axes);
Strategy tp(const HeadAxes&);
Strategy tp_sp(const HeadAxes&);
Strategy ulysses(const HeadAxes&, const WeightRow&);
Strategy ring(Axis, Deal, const WeightRow&);
Strategy ring_homing(Axis, Deal, const WeightRow&);
Strategy double_ring(Axis outer, Axis inner, Deal, const WeightRow&);
Strategy double_ring_homing(Axis outer, Axis inner, Deal, const WeightRow&);
Strategy kv_gather(Axis, Deal, const WeightRow&);
Strategy usp(const HeadAxes& ulysses, Axis ring, Deal, const WeightRow&);
Strategy odysseus(const HeadAxes&);
/// The sequence split and nothing else: legal for the MLP half.
Strategy local(const AxisList& axes, Deal, const WeightRow&);
/// Samples split over ranks.
Strategy data(const AxisList& axes, const WeightRow&);

}  // namespace ithaca
