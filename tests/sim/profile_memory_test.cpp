// What implementations keep, by hand: values that are held, an eager layer of Hugging Face's transformers in units of
// U = 2 l d bytes (l tokens of a rank), workspaces of attention's backward, ends by a table of their own.
#include "models/profile.h"
#include "models/step.h"
#include "models/wire.h"
#include "sim/memory.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ithaca {
namespace {

// ---- holds
// ----------------------------------------------------------------------------------------------

/// Three values of one step each: a is read by b alone, b by c, c by y.
struct Chain {
  explicit Chain(std::initializer_list<std::pair<int, int>> holds) {
    Builder b{Mesh{}};
    const Type row{DType::f32, {{DimName::L, 8, {}}, {DimName::d, 8, {}}}, {}, {}};
    v[0] = b.input("x", row, Role::activation);
    for (int i = 1; i < 5; ++i) v[i] = b.add("v", v[i - 1], v[i - 1]);
    for (const auto& [value, with] : holds) b.hold(v[value], v[with]);
    b.output(v[4]);
    life = lifetimes(std::move(b).build());
  }
  std::int64_t dies(int i) const { return life[v[i]].dies; }
  ValueId v[5];
  std::vector<Lifetime> life;
};

TEST(Hold, KeepsAValueAsLongAsTheOtherLives) {
  EXPECT_EQ(Chain({}).dies(1), 1);
  EXPECT_EQ(Chain({{1, 2}}).dies(1), 2);
  EXPECT_EQ(Chain({{1, 3}}).dies(1), 3);
  EXPECT_EQ(Chain({{1, 4}}).dies(1), 4);  // an output is never freed
}
TEST(Hold, NeverFreesAValueSooner) {
  EXPECT_EQ(Chain({{3, 1}}).dies(3), 3);
  EXPECT_EQ(Chain({{4, 1}}).dies(4), 4);
}
TEST(Hold, IsNoReasonForTheOtherToLive) {
  EXPECT_EQ(Chain({{1, 3}}).dies(3), 3);
  EXPECT_EQ(Chain({{1, 2}}).dies(2), 2);
}
TEST(Hold, KeepsTheBufferFromBeingTakenOver) {
  const auto taken = [](bool held) {
    Builder b{Mesh{}};
    const Type row{DType::f32, {{DimName::L, 8, {}}, {DimName::d, 8, {}}}, {}, {}};
    const ValueId x = b.input("x", row, Role::activation), y = b.input("y", row, Role::activation);
    const ValueId s = b.add("s", x, y), t = b.add("t", s, y), u = b.add("u", t, y);
    if (held) b.hold(s, t);
    b.output(u);
    return lifetimes(std::move(b).build())[t].takes_over == s;
  };
  EXPECT_TRUE(taken(false));
  EXPECT_FALSE(taken(true));
}

TEST(Plan, PutsTheGradientOfAGatedActivationWhereGateAndUpWereAndOfAnotherWhereItsCotangentWas) {
  for (const Act act : {Act::swiglu, Act::geglu, Act::gelu}) {
    LayerShape n = small_shape();
    n.act = act;
    const Program p = one_rank(n).program;
    const auto step = std::ranges::find_if(
        p.steps(), [](const Step& s) { return std::holds_alternative<ActivateGrad>(s.op); });
    EXPECT_EQ(lifetimes(p)[step->out[0]].takes_over, step->in[n.gates() == 2 ? 1 : 0]);
  }
}

// ---- an eager layer
// ------------------------------------------------------------------------------------

constexpr int ranks = 8;

/// Llama-2-7B: 32 heads of 128, i = 11008.
LayerShape llama2(bool packed) {
  LayerShape n = shape_of(32768, 4096, {32, 1, 128}, 11008);
  n.fused_qkv = packed;
  return n;
}

std::int64_t saved_by(const std::string& expression, const LayerShape& n, const Kernels& kernels) {
  const Layer layer = layer_of(expression, ranks, n, {.kernels = kernels});
  const Program& p = layer.program;
  const auto first = std::ranges::find(p.steps(), Phase::backward, &Step::phase);
  return memory(p).by_step[static_cast<std::size_t>(first - p.steps().begin())]
                          [static_cast<std::size_t>(MemoryRole::saved)];
}

/// Bytes of the parts, all of a rank with l tokens (or its share of the heads of all).
struct Parts {
  explicit Parts(const LayerShape& n)
      : l(n.b * n.L / ranks),
        unit(2 * l * n.d),
        mlp(2 * l * n.i),
        lse(4 * l * n.h()),
        table(2 * 2 * n.e * n.L) {}
  std::int64_t l, unit;
  std::int64_t mlp;    ///< one tensor as wide as the intermediate dimension
  std::int64_t lse;    ///< log-sum-exp, f32
  std::int64_t table;  ///< cosines and sines of all tokens
};

constexpr std::int64_t hundredths(std::int64_t bytes, std::int64_t unit) {
  return (200 * bytes + unit) / (2 * unit);
}

/// Twice: an f32 copy of the stream, its normalized rows in bf16, those times the gain.
constexpr std::int64_t eager_norms = 2 * (2 + 1 + 1);
/// Gate, up, act(gate), their product.
constexpr std::int64_t eager_mlp = 4;

TEST(EagerLayer, OfTpSpWithPackedProjectionsKeeps25AndAQuarterUnits) {
  const LayerShape n = llama2(true);
  const Parts part(n);
  // q and k before and after rotation, v, o; heads are split, tokens whole
  const std::int64_t attention = 6 * part.unit + part.lse + part.table;
  const std::int64_t all = eager_norms * part.unit + attention + eager_mlp * part.mlp;
  EXPECT_EQ(saved_by("tp_sp", n, find_profile("hf-fsdp1").kernels), all);
  EXPECT_EQ(hundredths(all - part.lse, part.unit), 2525);
}

TEST(EagerLayer, OfUlyssesKeeps23And8TenthsOfAUnit) {
  for (const bool packed : {false, true}) {
    const LayerShape n = llama2(packed);
    const Parts part(n);
    // q, k and v exchanged; o before and after the exchange; v as projected is gone, and what it held
    const std::int64_t attention = 5 * part.unit + part.lse + part.table / ranks;
    const std::int64_t all = eager_norms * part.unit + attention + eager_mlp * part.mlp;
    EXPECT_EQ(saved_by("ulysses_zero3", n, find_profile("hf-fsdp1").kernels), all);
    EXPECT_EQ(hundredths(all, part.unit), 2383);
  }
}

/// Its backward begins with the block received last; one that comes home keeps its own, of which v keeps the packed
/// buffer with q and k before rotation.
TEST(EagerLayer, OfTheRingKeeps22And8TenthsOfAUnitAndTwoMoreWhereItComesHomePacked) {
  for (const bool packed : {false, true})
    for (const bool homing : {false, true}) {
      const LayerShape n = llama2(packed);
      const Parts part(n);
      const std::int64_t views = packed && homing ? 2 : 0;
      const std::int64_t attention = (4 + views) * part.unit + part.lse + part.table / ranks;
      const std::int64_t all = eager_norms * part.unit + attention + eager_mlp * part.mlp;
      EXPECT_EQ(saved_by(homing ? "ring_homing_zero3" : "ring_zero3", n,
                         find_profile("hf-fsdp1").kernels),
                all);
      EXPECT_EQ(hundredths(all, part.unit), views > 0 ? 2483 : 2283);
    }
}

TEST(FusedLayer, Keeps16Units) {
  const LayerShape n = llama2(false);
  const Parts part(n);
  // stream and its norm twice; q, k, v, o; gate and up, their product
  const std::int64_t all = 4 * part.unit + 4 * part.unit + part.lse + 3 * part.mlp;
  for (const char* name : {"tp_sp", "ring_zero3"}) EXPECT_EQ(saved_by(name, n, {}), all) << name;
  EXPECT_EQ(hundredths(all, part.unit), 1608);
}

TEST(EagerLayer, OfEachKernelKeepsItsOwn) {
  const LayerShape n = llama2(true);
  const Parts part(n);
  const auto more = [&](const Kernels& k) {
    return saved_by("tp_sp", n, k) - saved_by("tp_sp", n, {});
  };
  // a copy of twice the width and normalized rows in place of the stream
  EXPECT_EQ(more({.norm_copies = true}), 2 * (2 + 1 - 1) * part.unit);
  // the copy in place of the stream
  EXPECT_EQ(more({.norm_widens = true}), 2 * (2 - 1) * part.unit);
  EXPECT_EQ(more({.gate_apart = true}), part.mlp);
  EXPECT_EQ(more({.packed_views = true}), 2 * part.unit);
  EXPECT_EQ(more({.rotation_tables = true}), part.table);
  EXPECT_EQ(more({.attention = AttentionKernel::flash2}), 0);
}

// ---- what recomputation holds
// --------------------------------------------------------------------------------

struct Recomputed {
  explicit Recomputed(const Kernels& kernels)
      : layer(one_rank(llama2(true), {.recompute = true, .kernels = kernels})),
        life(lifetimes(layer.program)) {
    const std::vector<Step>& steps = layer.program.steps();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].phase == Phase::recompute) last = i;
      if (steps[i].phase == Phase::recompute && std::holds_alternative<SplitQkv>(steps[i].op))
        split = i;
    }
  }
  const Ids& out(std::size_t step) const { return layer.program.steps()[step].out; }
  std::int64_t end() const { return std::ssize(layer.program.steps()) - 1; }
  Layer layer;
  std::vector<Lifetime> life;
  std::size_t last = 0, split = 0;  ///< steps of the recomputation
};

TEST(ResultsHeld, AreThoseOfARecomputedLayerAndItsCotangentUntilItsBackwardEnds) {
  const Recomputed freed({}), held({.results_held = true});
  EXPECT_EQ(freed.life[freed.out(freed.last)[0]].dies, static_cast<std::int64_t>(freed.last));
  EXPECT_EQ(held.life[held.out(held.last)[0]].dies, held.end());
  EXPECT_LT(freed.life[freed.layer.dy].dies, freed.end());
  EXPECT_EQ(held.life[held.layer.dy].dies, held.end());
}

TEST(PackedViews, HoldInTheRecomputationToo) {
  const Recomputed freed({}), held({.packed_views = true});
  const auto dies = [](const Recomputed& r, std::size_t j) {
    return r.life[r.out(r.split)[j]].dies;
  };
  for (const std::size_t j : {0U, 1U}) {
    EXPECT_LT(dies(freed, j), dies(freed, 2));
    EXPECT_EQ(dies(held, j), dies(held, 2));
  }
  EXPECT_EQ(dies(held, 2), dies(freed, 2));
}

// ---- workspaces of attention's backward
// -----------------------------------------------------------------

std::int64_t workspace(AttentionKernel kernel, const Heads& heads, const char* expression = "tp") {
  const LayerShape n = shape_of(96, 40, heads, 112);
  const Program p = layer_of(expression, 2, n, {.kernels = {.attention = kernel}}).program;
  std::int64_t bytes = 0;
  for (const Step& step : p.steps())
    if (std::holds_alternative<AttendGrad>(step.op))
      bytes = std::max(bytes, scratch_of(p, step).bytes());
  return bytes;
}

TEST(AttentionWorkspace, IsDqInF32AndKeysOfEveryQueryHead) {
  using enum AttentionKernel;
  // two ranks: 96 tokens of 4 KV heads of 2 queries each, of 6 elements
  constexpr std::int64_t dq = 96 * 4 * 2 * 6, dk = 96 * 4 * 6;
  EXPECT_EQ(workspace(tiled, {8, 2, 6}), 0);
  EXPECT_EQ(workspace(flash2, {8, 2, 6}), 4 * dq + 2 * (2 * dk) * 2);
  EXPECT_EQ(workspace(flash3, {8, 2, 6}), 4 * dq + 2 * dk * 4);
}

TEST(AttentionWorkspace, WithoutGroupsIsDqAlone) {
  using enum AttentionKernel;
  constexpr std::int64_t dq = 96 * 4 * 6;
  EXPECT_EQ(workspace(tiled, {8, 1, 6}), 0);
  EXPECT_EQ(workspace(flash2, {8, 1, 6}), 4 * dq);
  EXPECT_EQ(workspace(flash3, {8, 1, 6}), 4 * dq);
}

TEST(AttentionWorkspace, OfARingIsThatOfItsBlocks) {
  using enum AttentionKernel;
  constexpr std::int64_t dq = 48 * 8 * 2 * 6, dk = 48 * 8 * 6;  // half the tokens, all heads
  EXPECT_EQ(workspace(flash2, {8, 2, 6}, "ring_zero3"), 4 * dq + 2 * (2 * dk) * 2);
}

TEST(AttentionWorkspace, CountsTowardsThePeak) {
  const LayerShape n = shape_of(96, 40, {8, 2, 6}, 112);
  const auto live = [&](AttentionKernel kernel) {
    const Program p = one_rank(n, {.kernels = {.attention = kernel}}).program;
    const auto at = std::ranges::find_if(
        p.steps(), [](const Step& s) { return std::holds_alternative<AttendGrad>(s.op); });
    return memory(p).live[static_cast<std::size_t>(at - p.steps().begin())];
  };
  EXPECT_EQ(live(AttentionKernel::flash3) - live(AttentionKernel::tiled),
            4 * 96 * 16 * 6 + 2 * 96 * 8 * 6 * 4);
}

// ---- logits
// ---------------------------------------------------------------------------------------------

constexpr std::int64_t vocabulary = 1000;

/// Most bytes while the loss or its gradient is computed, of one rank and no layer to speak of.
std::int64_t loss_peak(LogitsKernel kernel) {
  const LayerShape n = shape_of(64, 16, {1, 1, 4}, 4);
  StepOptions options;
  options.layer.kernels.logits = kernel;
  const MicroBatch micro = micro_batch({{{n, {}, 1}}, vocabulary}, Mesh{}, options);
  const MemoryPlan plan = memory(micro.program);
  std::int64_t most = 0;
  for (std::size_t i = 0; i < plan.live.size(); ++i)
    if (std::holds_alternative<TokenLossGrad>(micro.program.steps()[i].op))
      most = std::max(most, plan.live[i]);
  return most;
}

TEST(Logits, AreKeptBesideTheirGradientAsTheKernelSays) {
  constexpr std::int64_t bf16 = 64 * vocabulary * 2, f32 = 64 * vocabulary * 4;
  const std::int64_t fused = loss_peak(LogitsKernel::fused);  // logits and gradient
  EXPECT_EQ(loss_peak(LogitsKernel::wide) - fused, bf16 + 2 * f32 - 2 * bf16);
  // the log-softmax beside them, and no longer each row's maximum and sum
  EXPECT_EQ(loss_peak(LogitsKernel::copies) - loss_peak(LogitsKernel::wide), f32 - 64 * 2 * 4);
}

// ---- ends
// -----------------------------------------------------------------------------------------------

MicroBatch with_ends(const std::string& expression, const Mesh& mesh) {
  const LayerShape n = small_shape();
  const Arrangement at = arrange(expression, mesh, n);
  return micro_batch({{{n, at.strategy, 2}}, 64}, at.mesh);
}

/// Steps between the forward and the backward use of the embedding during which it is gathered.
bool embedding_waits_gathered(const MicroBatch& micro) {
  const Program& p = micro.program;
  const std::vector<Lifetime> life = lifetimes(p);
  const auto embeds = [](const Step& s) { return std::holds_alternative<Embed>(s.op); };
  const auto grad = [](const Step& s) { return std::holds_alternative<EmbedGrad>(s.op); };
  const auto use = std::ranges::find_if(p.steps(), embeds);
  const auto back = std::ranges::find_if(p.steps(), grad) - p.steps().begin();
  const ValueId table = use->in[1];
  EXPECT_EQ(p[table].role, Role::weight);
  return life[table].dies >= back - 1 && life[table].dies < std::ssize(p.steps());
}

TEST(Ends, OfGradopHoldTheGatheredEmbeddingUntilItsGradient) {
  const Mesh u({{"u", 4}});
  EXPECT_TRUE(embedding_waits_gathered(
      with_ends("ulysses_zero3(u) | local_zero3(u) | local_gradop(u)", u)));
  EXPECT_FALSE(
      embedding_waits_gathered(with_ends("ulysses_zero3(u) | local_zero3(u) | local_zero3(u)", u)));
  EXPECT_FALSE(embedding_waits_gathered(with_ends("ulysses_zero3(u)", u)));
}

TEST(Ends, LieByTheirOwnTableAndLayersByTheirs) {
  const MicroBatch micro = with_ends("tp_sp(t) | tp_sp(t) | local_zero3(t)", Mesh({{"t", 4}}));
  for (const Parameter& p : micro.parameters) {
    const Type& stored = micro.program.type(p.stored);
    const bool table = p.name == "embedding" || p.name == "head";
    const bool matrix = stored.dims.size() > 1;
    EXPECT_EQ(!stored.flat.empty(), table) << p.name;
    if (matrix) {
      EXPECT_EQ(local_elements(stored, micro.program.mesh()) * 4, global_elements(stored))
          << p.name;
    }
  }
}

TEST(Ends, WithoutATableOfTheirOwnLieAsTheMlp) {
  for (const char* name :
       {"tp_sp(t) | local_zero3(t)", "tp_sp(t) | local_zero3(t) | local_zero3(t)"}) {
    const MicroBatch micro = with_ends(name, Mesh({{"t", 4}}));
    for (const Parameter& p : micro.parameters)
      if (p.name == "embedding" || p.name == "head") {
        EXPECT_FALSE(micro.program.type(p.stored).flat.empty()) << name;
      }
  }
}

}  // namespace
}  // namespace ithaca
