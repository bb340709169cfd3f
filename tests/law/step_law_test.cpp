// Traffic of a whole optimizer step, micro-batches and update: the closed forms of the data-parallel family, of
// recomputation, and what tiles and copies to the host leave alone.
#include "models/profile.h"
#include "models/step.h"
#include "models/update.h"
#include "sim/count.h"
#include "sim/memory.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

namespace ithaca {
namespace {

constexpr std::int64_t layers = 3, vocabulary = 256;

/// As many KV heads as queries, a = c = d.
LayerShape square_shape() {
  LayerShape shape = shape_of(32, 32, {8, 1, 4}, 48);
  shape.b = 4;
  return shape;
}

struct Levers {
  StepOptions step = {};
  std::string_view profile = "reference";
  std::int64_t micro_batches = 1;
  bool tied = false, folded = false;
  UpdateOptions update = {};
};

struct OptimizerStep {
  MicroBatch micro;
  Update update;
  std::int64_t micro_batches;

  std::int64_t weight_bytes() const {
    return micro_batches * count(micro.program).sent_bytes().weight +
           count(update.program).sent_bytes().weight;
  }
};

OptimizerStep step_of(const Case& c, Levers levers = {}, std::int64_t times = layers) {
  const LayerShape shape = square_shape();
  const Arrangement at = arrange(c.expression, parse_mesh(c.mesh), shape);
  const Profile& profile = find_profile(levers.profile);
  levers.step.layer.accumulate = levers.micro_batches > 1;
  levers.step.unrolled = !levers.folded;
  levers.step.layer.reduction = profile.reduction;
  const StepShape step{
      {{shape, with_profile(at.strategy, profile), times}}, vocabulary, levers.tied};
  OptimizerStep made{micro_batch(step, at.mesh, levers.step), {}, levers.micro_batches};
  levers.update.reduction = profile.reduction;
  made.update = update_program(made.micro.program, made.micro.parameters, levers.update);
  return made;
}

/// Elements of all parameters: matrices of layers, tables of both ends, and gains.
struct Parameters {
  std::int64_t matrices = 0, tables = 0, gains = 0;
  std::int64_t all() const { return matrices + tables + gains; }
};

Parameters parameters_of(const MicroBatch& micro) {
  Parameters sum;
  for (const Parameter& p : micro.parameters) {
    const std::int64_t elements = p.times * global_elements(micro.program.type(p.stored));
    const bool table = p.name == "embedding" || p.name == "head";
    (table                                      ? sum.tables
     : p.name.find("norm") != std::string::npos ? sum.gains
                                                : sum.matrices) += elements;
  }
  return sum;
}

// ---- the data-parallel family
// ---------------------------------------------------------------------

struct Form {
  const char *keep, *profile;
  /// Elements over F = (N-1)/N in one optimizer step of A micro-batches.
  std::function<std::int64_t(const Parameters&, std::int64_t A)> elements;
};

/// Gains stay whole under ZeRO-3 and are all-reduced once a step; tables are gathered once a micro-batch, as FSDP2's
/// root is.
std::vector<Form> forms() {
  return {
      {"_ddp", "reference", [](auto& p, auto) { return 2 * p.all(); }},
      {"_ddp", "deepspeed", [](auto& p, auto) { return 2 * p.all(); }},
      {"_zero1", "reference", [](auto& p, auto) { return 2 * p.all(); }},
      {"_zero1", "deepspeed", [](auto& p, auto) { return 3 * p.all(); }},
      {"_zero2", "reference", [](auto& p, auto A) { return (A + 1) * p.all(); }},
      {"_zero2", "deepspeed", [](auto& p, auto A) { return (2 * A + 1) * p.all(); }},
      {"_zero3", "fsdp2",
       [](auto& p, auto A) { return 3 * A * p.matrices + 2 * A * p.tables + 2 * p.gains; }},
      {"_gradop", "fsdp2",
       [](auto& p, auto A) { return 2 * A * (p.matrices + p.tables) + 2 * p.gains; }},
  };
}

TEST(StepTraffic, OfZeroAndDdpIsTheClosedForm) {
  for (const Form& form : forms())
    for (const std::string name : {"data", "ulysses", "ring_zigzag", "kv_gather"})
      for (const std::int64_t A : {1, 4}) {
        const OptimizerStep step =
            step_of({name + form.keep + "(x)", "x=4"}, {{}, form.profile, A});
        EXPECT_EQ(step.weight_bytes(), form.elements(parameters_of(step.micro), A) * 3 / 4 * 2)
            << name << form.keep << ' ' << form.profile << ' ' << A;
      }
}

TEST(StepTraffic, OfMegatronsOptimizerIsGradientsInF32AndWeightsInBf16) {
  for (const std::int64_t A : {1, 4}) {
    const OptimizerStep step = step_of({"data_zero1(p)", "p=4"}, {{}, "megatron", A});
    EXPECT_EQ(step.weight_bytes(), parameters_of(step.micro).all() * 3 / 4 * (4 + 2));
  }
}

TEST(StepTraffic, OfHsdpIsThatOfItsShardsAndOneAllReduceOfThemAmongReplicas) {
  for (const char* name : {"data_ddp(p) * ulysses_zero3(u)", "data_ddp(p) * data_zero3(u)"})
    for (const std::int64_t A : {1, 4}) {
      const OptimizerStep step = step_of({name, "p=2,u=2"}, {{}, "reference", A});
      const Parameters p = parameters_of(step.micro);
      const std::int64_t shards = (3 * A * p.matrices + 2 * A * p.tables) / 2;
      const std::int64_t replicas = 2 * (p.matrices + p.tables) / 2 / 2;
      EXPECT_EQ(step.weight_bytes(), 2 * (shards + replicas + 2 * p.gains * 3 / 4))
          << name << ' ' << A;
    }
}

TEST(StepTraffic, OfOneTableForBothEndsIsThatOfOne) {
  for (const Form& form : forms()) {
    const std::string keep = form.keep;
    if (keep == "_zero3" || keep == "_gradop") continue;  // each use gathers and scatters
    const OptimizerStep step = step_of({"data" + keep + "(p)", "p=4"}, {{}, form.profile, 4, true});
    EXPECT_EQ(parameters_of(step.micro).tables, vocabulary * square_shape().d);
    EXPECT_EQ(step.weight_bytes(), form.elements(parameters_of(step.micro), 4) * 3 / 4 * 2)
        << keep << ' ' << form.profile;
  }
}

TEST(StepTraffic, OfAGatheredTableForBothEndsIsThatOfTwo) {
  for (const std::string keep : {"_zero3", "_gradop"})
    EXPECT_EQ(count(step_of({"data" + keep, "p=4"}, {{}, "fsdp2", 4, true}).micro.program)
                  .sent_bytes()
                  .weight,
              count(step_of({"data" + keep, "p=4"}, {{}, "fsdp2", 4, false}).micro.program)
                  .sent_bytes()
                  .weight);
}

TEST(StepTraffic, OfWeightsDoesNotKnowRecomputation) {
  for (const Form& form : forms()) {
    const Case c{std::string("data") + form.keep + "(p)", "p=4"};
    EXPECT_EQ(step_of(c, {{.layer = {.recompute = true}}, form.profile, 4}).weight_bytes(),
              step_of(c, {{}, form.profile, 4}).weight_bytes())
        << form.keep << ' ' << form.profile;
  }
}

TEST(StepTraffic, OfTheLargestLogitIsAMaximumAndNeverASum) {
  int maxima = 0;
  for (const char* name : {"tp", "tp_sp", "ulysses_zero3 | tp_sp(u)"}) {
    const std::string axis = std::string(name).starts_with("tp") ? "t=4" : "u=4";
    const OptimizerStep step = step_of({name, axis});
    for (const Value& value : step.micro.program.values())
      if (value.name == "max" && !value.type.partial.empty()) {
        EXPECT_TRUE(value.type.maximum) << name;
        ++maxima;
      }
  }
  EXPECT_EQ(maxima, 3);
}

// ---- recompute
// ------------------------------------------------------------------------------------

/// Bytes that one more layer sends.
SentBytes of_a_layer(const Case& c, const StepOptions& options) {
  const SentBytes more = count(step_of(c, {options}).micro.program).sent_bytes();
  const SentBytes less = count(step_of(c, {options}, layers - 1).micro.program).sent_bytes();
  return {more.activation - less.activation, more.weight - less.weight};
}

struct Multiplier {
  Case c;
  std::int64_t none, full;  ///< elements over F S d, times N for all-to-alls
  std::int64_t over = 1;
};

TEST(StepRecompute, MultipliesTheTrafficOfActivations) {
  const LayerShape n = square_shape();
  const std::int64_t whole = n.b * n.L * n.d * 2 * 3 / 4;
  for (const Multiplier& m : {Multiplier{{"tp", "t=4"}, 8, 12},
                              {{"tp_sp", "t=4"}, 10, 14},
                              {{"ulysses_zero3", "u=4"}, 8, 12, 4},
                              {{"ring_zero3", "r=4"}, 6, 8},
                              {{"odysseus_zero3", "t=4"}, 5, 7}}) {
    EXPECT_EQ(of_a_layer(m.c, {}).activation * m.over, m.none * whole) << m.c.expression;
    EXPECT_EQ(of_a_layer(m.c, {.layer = {.recompute = true}}).activation * m.over, m.full * whole)
        << m.c.expression;
    EXPECT_EQ(
        of_a_layer(m.c, {.layer = {.recompute = parse_recompute("norm+act", {}, "")}}).activation *
            m.over,
        m.none * whole)
        << m.c.expression;
  }
}

TEST(StepRecompute, OfOdysseusGathersAndScattersMlpWeightsFourTimesInsteadOfThree) {
  const LayerShape n = square_shape();
  const std::int64_t mlp = 3 * n.d * n.i * 2 * 3 / 4;
  EXPECT_EQ(of_a_layer({"odysseus_zero3", "t=4"}, {}).weight, 3 * mlp);
  EXPECT_EQ(of_a_layer({"odysseus_zero3", "t=4"}, {.layer = {.recompute = true}}).weight, 4 * mlp);
}

// ---- levers that leave the wire alone
// -------------------------------------------------------------

std::vector<Case> step_cases() {
  return {{"tp", "t=4"},
          {"tp_sp", "t=4"},
          {"ulysses_zero3", "u=4"},
          {"ring_zigzag_zero3", "r=4"},
          {"usp_zero3", "r=2,u=2"},
          {"odysseus_zero3", "t=4"},
          {"data_zero2", "p=4"},
          {"data_ddp(p) * tp_sp(t)", "p=2,t=2"},
          {"ring_zero3(r) * tp(u)", "r=2,u=2"}};
}

void expect_same_wire(const Case& c, const StepOptions& with, const StepOptions& without) {
  const SentBytes a = count(step_of(c, {with, "reference", 4}).micro.program).sent_bytes();
  const SentBytes b = count(step_of(c, {without, "reference", 4}).micro.program).sent_bytes();
  EXPECT_GT(a.total(), 0) << c.expression;
  EXPECT_EQ(a.activation, b.activation) << c.expression;
  EXPECT_EQ(a.weight, b.weight) << c.expression;
}

TEST(StepLevers, TilesAndOffloadLeaveTheWireAlone) {
  for (const Case& c : step_cases())
    for (const bool full : {false, true}) {
      const StepOptions plain{.layer = {.recompute = full}};
      expect_same_wire(c, {.layer = {.recompute = full, .mlp_tiles = 3}}, plain);
      expect_same_wire(c, {.layer = {.recompute = full}, .loss_tiles = 4}, plain);
      if (!full) continue;
      expect_same_wire(c, {.layer = {.recompute = true}, .offload = true}, plain);
      expect_same_wire(
          c, {.layer = {.recompute = true, .mlp_tiles = 2}, .loss_tiles = 2, .offload = true},
          plain);
    }
}

TEST(StepLevers, OffloadCopiesTheInputOfEveryLayerOutAndBack) {
  const LayerShape n = square_shape();
  for (const Case& c : step_cases()) {
    const Count count =
        ithaca::count(step_of(c, {{.layer = {.recompute = true}, .offload = true}}).micro.program);
    const Mesh mesh = parse_mesh(c.mesh);
    const std::int64_t ways = c.expression == "tp" || c.expression == "ring_zero3(r) * tp(u)"
                                  ? (c.expression == "tp" ? 1 : 2)
                                  : mesh.ranks();
    EXPECT_EQ(count.to_host_bytes, layers * 2 * n.b * n.L / ways * n.d) << c.expression;
    EXPECT_EQ(count.from_host_bytes, count.to_host_bytes) << c.expression;
  }
}

/// Gradients go out and weights come in, both in bf16, those of the states a rank keeps.
TEST(StepLevers, AnOptimizerOnTheHostCopiesGradientsOutAndWeightsIn) {
  for (const std::string keep : {"_ddp", "_zero1", "_zero2", "_zero3", "_gradop"})
    for (const char* recipe : {"mixed", "bf16"}) {
      Levers levers;
      levers.update.on_host = true;
      levers.update.recipe = find_recipe(recipe);
      const OptimizerStep step = step_of({"data" + keep, "p=4"}, levers);
      const Parameters p = parameters_of(step.micro);
      const std::int64_t shards = p.matrices + p.tables,
                         kept = keep == "_ddp"                          ? p.all()
                                : keep == "_zero3" || keep == "_gradop" ? shards / 4 + p.gains
                                                                        : p.all() / 4;
      const Count count = ithaca::count(step.update.program);
      const bool master = levers.update.recipe.master;
      EXPECT_EQ(count.to_host_bytes, (master ? 1 : 2) * 2 * kept) << keep << ' ' << recipe;
      EXPECT_EQ(count.from_host_bytes, 2 * kept) << keep << ' ' << recipe;
      EXPECT_EQ(step.weight_bytes(), step_of({"data" + keep, "p=4"}).weight_bytes()) << keep;
    }
}

/// Two matrices of rank R beside each of a layer: R (in + out) numbers; all else is frozen.
TEST(StepLevers, AdaptersAreAllThatIsTrained) {
  const LayerShape n = square_shape();
  Levers levers{{.layer = {.adapter_rank = 2}}};
  const OptimizerStep step = step_of({"data_zero3", "p=4"}, levers);
  std::int64_t trained = 0, frozen = 0;
  for (const Parameter& p : step.micro.parameters) {
    const bool adapter = p.name.ends_with("_a") || p.name.ends_with("_b");
    EXPECT_EQ(p.trained, adapter) << p.name;
    EXPECT_EQ(p.grad != no_value, adapter) << p.name;
    (adapter ? trained : frozen) += p.times * global_elements(step.micro.program.type(p.stored));
  }
  const std::int64_t d = n.d, a = n.a(), c = n.c(), i = n.i;
  EXPECT_EQ(trained, layers * 2 * ((d + a) + 2 * (d + c) + (a + d) + (d + 2 * i) + (i + d)));
  EXPECT_EQ(frozen, parameters_of(step_of({"data_zero3", "p=4"}).micro).all());
  for (const Event& e : count(step.micro.program).events) {
    if (e.wire != Wire::reduce_scatter) continue;
    EXPECT_TRUE(e.tensor.ends_with("_a") || e.tensor.ends_with("_b")) << e.tensor;
  }
  for (const UpdateSlot& slot : step.update.slots)
    EXPECT_EQ(slot.m.in == no_value, slot.grad == no_value);
}

/// ZeRO-3: a rank's shard of every matrix comes for the forward and again for the backward, its gradient goes.
TEST(StepLevers, WeightsOnTheHostComeTwiceAndTheirGradientsGoOnce) {
  for (const bool master : {false, true}) {
    Levers levers{
        {.layer = {.recompute = master, .gradients_on_host = true}, .weights_on_host = true}};
    levers.update.on_host = true;
    levers.update.recipe = find_recipe(master ? "mixed" : "bf16");
    const OptimizerStep step = step_of({"data_zero3", "p=4"}, levers);
    const Parameters p = parameters_of(step.micro);
    const std::int64_t shards = p.matrices + p.tables;
    const Count micro = count(step.micro.program), update = count(step.update.program);
    // Tables come once: that of the head is differentiated as it goes; gains stay on the device.
    EXPECT_EQ(micro.from_host_bytes, 2 * (2 * p.matrices + p.tables) / 4);
    EXPECT_EQ(micro.to_host_bytes, 2 * shards / 4);
    EXPECT_EQ(update.to_host_bytes, (master ? 1 : 2) * 2 * p.gains);
    EXPECT_EQ(update.from_host_bytes, 2 * p.gains);
    EXPECT_EQ(step.weight_bytes(),
              step_of({"data_zero3", "p=4"}, {{.layer = {.recompute = master}}}).weight_bytes());
  }
}

/// A buffer is there from the first step of the forward on.
TEST(StepLevers, BuffersOfGradientsAreThoseOfShardsOrAll) {
  const auto buffers = [](const char* strategy, GradientBuffers which) {
    const OptimizerStep step = step_of({strategy, "p=4"}, {{.layer = {.gradient_buffers = which}}});
    std::int64_t elements = 0;
    for (const Parameter& p : step.micro.parameters)
      if (p.sum != no_value) elements += p.times * global_elements(step.micro.program.type(p.sum));
    return elements;
  };
  const Parameters p = parameters_of(step_of({"data_zero3", "p=4"}).micro);
  for (const char* const strategy : {"data_zero3", "data_zero1"}) {
    EXPECT_EQ(buffers(strategy, GradientBuffers::none), 0) << strategy;
    EXPECT_EQ(buffers(strategy, GradientBuffers::all), p.all()) << strategy;
  }
  EXPECT_EQ(buffers("data_zero3", GradientBuffers::shards), p.matrices + p.tables);
  EXPECT_EQ(buffers("data_zero1", GradientBuffers::shards), 0);
}

/// With one unit for all every gradient is whole when the backward ends; else each is a shard by then.
TEST(StepLevers, WholeGradientsStayToTheEndOfTheBackward) {
  const auto whole_at_end = [](bool whole) {
    const OptimizerStep step =
        step_of({"data_gradop", "p=4"}, {{.layer = {.kernels = {.whole_gradients = whole}}}});
    const Program& program = step.micro.program;
    const std::vector<Lifetime> lives = lifetimes(program);
    const auto end = static_cast<std::int64_t>(program.steps().size());
    std::int64_t elements = 0;
    for (ValueId v = 0; v < lives.size(); ++v)
      if (program[v].role == Role::weight_gradient && !program.type(v).partial.empty() &&
          program.type(v).dims.size() > 1 && lives[v].dies == end)
        elements += whole_elements(program.type(v), program.mesh());
    return elements;
  };
  EXPECT_EQ(whole_at_end(false), 0);
  EXPECT_GT(whole_at_end(true), 0);
}

TEST(StepLevers, NothingIsCopiedToTheHostUnasked) {
  for (const Case& c : step_cases()) {
    const OptimizerStep step = step_of(c, {{.layer = {.recompute = true}}});
    EXPECT_EQ(count(step.micro.program).to_host_bytes, 0) << c.expression;
    EXPECT_EQ(count(step.update.program).to_host_bytes, 0) << c.expression;
  }
}

TEST(StepLevers, EqualLayersCountAsTheyDoWrittenOut) {
  for (const Case& c : step_cases())
    for (const bool full : {false, true}) {
      const StepOptions options{.layer = {.recompute = full}, .offload = full};
      const OptimizerStep a = step_of(c, {options, "reference", 1, false, true}),
                          b = step_of(c, {options});
      const Count x = count(a.micro.program), y = count(b.micro.program);
      EXPECT_EQ(x.sent_bytes().activation, y.sent_bytes().activation) << c.expression;
      EXPECT_EQ(x.flops(), y.flops()) << c.expression;
      EXPECT_EQ(x.to_host_bytes, y.to_host_bytes) << c.expression;
      EXPECT_EQ(a.weight_bytes(), b.weight_bytes()) << c.expression;
    }
}

}  // namespace
}  // namespace ithaca
