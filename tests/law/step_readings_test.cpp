// A step priced with three copies of equal layers is the step with all layers written out: bytes, memory, time.
#include "models/profile.h"
#include "sim/bottleneck.h"
#include "sim/step.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace ithaca {
namespace {

constexpr std::int64_t layers = 5;

Cluster cluster() {
  Cluster c = load_cluster("dgx-a100-80g");
  c.gpus_per_node = c.fast_domain_gpus = 4;
  return c;
}

struct Step {
  MicroBatch micro;
  Update update;
};

Step step_of(const Case& c, StepOptions options, bool unrolled) {
  const LayerShape shape = small_shape();
  const Arrangement at = arrange(c.expression, parse_mesh(c.mesh), shape);
  options.unrolled = unrolled;
  options.vocabulary_multiple = 1;
  Step step{micro_batch({{{shape, at.strategy, layers}}, 80, false}, at.mesh, options), {}};
  UpdateOptions update;
  update.bucket_elements = options.bucket_elements;
  step.update = update_program(step.micro.program, step.micro.parameters, update);
  return step;
}

/// Options that change what layers keep and leave.
std::vector<std::pair<std::string, StepOptions>> variants() {
  std::vector<std::pair<std::string, StepOptions>> all{{"plain", {}}};
  const auto add = [&](const char* name) -> StepOptions& {
    return all.emplace_back(name, StepOptions{}).second;
  };
  add("full").layer.recompute = true;
  add("accumulate").layer.accumulate = true;
  add("tiles").layer.mlp_tiles = 2;
  all.back().second.loss_tiles = 3;
  StepOptions& offload = add("offload");
  offload.layer.recompute = true;
  offload.offload = true;
  offload.layer.accumulate = true;
  StepOptions& host = add("weights and gradients on the host");
  host.weights_on_host = host.layer.gradients_on_host = true;
  StepOptions& eager = add("transformers' kernels");
  eager.layer.recompute = true;
  eager.layer.mlp_tiles = 3;
  eager.layer.kernels = find_profile("hf-deepspeed").kernels;
  StepOptions& packed = add("packed views");
  packed.layer.kernels = find_profile("hf-fsdp1").kernels;
  StepOptions& f32 = add("f32 gradients");
  f32.layer.gradient = f32.layer.reduction = DType::f32;
  f32.layer.recompute.norm = f32.layer.recompute.act = true;
  StepOptions& sums = add("sums in products");
  sums.layer.gradient = DType::f32;
  sums.layer.accumulate = sums.layer.kernels.fused_sums = true;
  for (const std::int64_t elements : {1'000, 1'000'000}) {
    StepOptions& buckets = add("buckets");
    buckets.bucket_elements = elements;
    buckets.layer.accumulate = elements == 1'000;
  }
  StepOptions& forward = add("forward only");
  forward.layer.backward = false;
  return all;
}

TEST(Step, CountsAsAllItsLayersWrittenOut) {
  for (const Case& c : all_cases())
    for (const auto& [name, options] : variants()) {
      const Step two = step_of(c, options, false), all = step_of(c, options, true);
      for (const auto& [a, b] : {std::pair{count(two.micro.program), count(all.micro.program)},
                                 {count(two.update.program), count(all.update.program)}}) {
        EXPECT_EQ(a.sent_bytes().total(), b.sent_bytes().total()) << c.expression << ' ' << name;
        EXPECT_EQ(a.flops(), b.flops()) << c.expression << ' ' << name;
        EXPECT_EQ(a.moved_bytes, b.moved_bytes) << c.expression << ' ' << name;
        EXPECT_EQ(a.to_host_bytes, b.to_host_bytes) << c.expression << ' ' << name;
        ASSERT_EQ(a.events.size(), b.events.size()) << c.expression << ' ' << name;
        for (std::size_t i = 0; i < a.events.size(); ++i)
          EXPECT_EQ(a.events[i].calls, b.events[i].calls) << c.expression << ' ' << name;
      }
    }
}

TEST(Step, HoldsAsAllItsLayersWrittenOut) {
  for (const Case& c : all_cases())
    for (const auto& [name, options] : variants()) {
      const Step two = step_of(c, options, false), all = step_of(c, options, true);
      const StepMemory a = step_memory(two.micro, two.update),
                       b = step_memory(all.micro, all.update);
      const std::string what = fmt::format("{} on {}, {}", c.expression, c.mesh, name);
      EXPECT_EQ(a.peak_bytes, b.peak_bytes) << what << ": " << a.where << " / " << b.where;
      EXPECT_EQ(a.at_loss_bytes, b.at_loss_bytes) << what;
      EXPECT_EQ(a.host_bytes, b.host_bytes) << what;
      EXPECT_EQ(a.saved_bytes, b.saved_bytes) << what;
      EXPECT_EQ(a.host_saved_bytes, b.host_saved_bytes) << what;
      EXPECT_EQ(a.resident, b.resident) << what;
      EXPECT_EQ(a.forward_peak_bytes, b.forward_peak_bytes) << what;
      EXPECT_EQ(std::max(a.micro_batch_peak_bytes, a.update_peak_bytes), a.peak_bytes) << what;
      EXPECT_EQ(std::accumulate(a.by_role.begin(), a.by_role.end(), std::int64_t{0}), a.peak_bytes);
      EXPECT_GE(a.peak_bytes, memory(all.micro.program).peak_bytes) << what;
    }
}

double sum_s(const std::vector<Cause>& all) {
  double sum = 0;
  for (const Cause& cause : all) sum += cause.seconds;
  return sum;
}

/// A head far larger than a layer, gathered while the last layer runs: its slowness is not every layer's.
TEST(Step, GrowsByASteadyLayerForEveryLayerItHas) {
  const ClusterCost cost(load_cluster("dgx-h100"));
  LayerShape shape = small_shape();
  shape.b = 1, shape.L = 8192, shape.d = 4096, shape.i = 14336;
  shape.k = 8, shape.g = 4, shape.e = 128;
  const auto step_s = [&](std::int64_t n) {
    const Mesh mesh = parse_mesh("u=8");
    const Strategy strategy = arrange("ulysses_zero3", mesh, shape).strategy;
    const MicroBatch micro = micro_batch({{{shape, strategy, n}}, 128256, false}, mesh, {});
    return step_time(micro, update_program(micro.program, micro.parameters, {}), {}, cost)
        .micro_batch_s;
  };
  const double layer_s = step_s(3) - step_s(2);
  EXPECT_NEAR(step_s(9) - step_s(3), 6 * layer_s, 0.01 * layer_s);
}

TEST(Step, SpendsItsTimeOnItsCauses) {
  const ClusterCost cost(cluster());
  for (const Case& c : all_cases())
    for (const auto& [name, options] : variants())
      for (const bool overlap : {false, true}) {
        const Step two = step_of(c, options, false), all = step_of(c, options, true);
        const StepPlan plan{3, overlap, {.last_sums = true}};
        const std::string what =
            fmt::format("{} on {}, {}, {}", c.expression, c.mesh, name, overlap);
        const double step_s = step_time(all.micro, all.update, plan, cost).step_s;
        EXPECT_NEAR(sum_s(causes(all.micro, all.update, plan, cost)), step_s, 1e-9 * step_s)
            << what;
        EXPECT_NEAR(sum_s(causes(two.micro, two.update, plan, cost)), step_s, 0.01 * step_s)
            << what;
      }
}

/// Transfers leave kernels a tenth of their speed.
class Crowded : public ClusterCost {
 public:
  using ClusterCost::ClusterCost;
  double leaves(const Program&, const ithaca::Step&, int) const override { return 0.1; }
};

TEST(Step, HidesOnlyWhatSumsLeaveOfTheBackwardTheyRunBeside) {
  const StepPlan plan{1, true, {.last_sums = true}};
  const Step s = step_of({"data_ddp", "p=4"}, {}, false);
  class Apart : public ClusterCost {
   public:
    using ClusterCost::ClusterCost;
    double leaves(const Program&, const ithaca::Step&, int) const override { return 1; }
  };
  const double apart_s = step_time(s.micro, s.update, plan, Apart(cluster())).hidden_s,
               crowded_s = step_time(s.micro, s.update, plan, Crowded(cluster())).hidden_s;
  EXPECT_GT(apart_s, 0);
  EXPECT_NEAR(crowded_s, 0.1 * apart_s, 1e-12);
}

TEST(Step, HidesSumsOfGradientsBehindItsLastBackward) {
  const ClusterCost cost(cluster());
  int hidden = 0;
  for (const Case& c : all_cases()) {
    const Step two = step_of(c, {}, false), all = step_of(c, {}, true);
    const StepTime late = step_time(two.micro, two.update, {3, true}, cost),
                   early = step_time(two.micro, two.update, {3, true, {.last_sums = true}}, cost),
                   whole = step_time(all.micro, all.update, {3, true, {.last_sums = true}}, cost);
    EXPECT_EQ(late.hidden_s, 0) << c.expression;
    EXPECT_LE(early.hidden_s, early.update_s) << c.expression;
    EXPECT_NEAR(early.step_s, late.step_s - early.hidden_s, 1e-12) << c.expression;
    EXPECT_NEAR(early.hidden_s, whole.hidden_s, 0.03 * whole.step_s) << c.expression;
    hidden += early.hidden_s > 0 ? 1 : 0;
  }
  EXPECT_GT(hidden, 0);
}

TEST(Step, TakesAsLongAsAllItsLayersWrittenOut) {
  const ClusterCost cost(cluster());
  for (const Case& c : all_cases())
    for (const auto& [name, options] : variants())
      for (const bool overlap : {false, true}) {
        const Step two = step_of(c, options, false), all = step_of(c, options, true);
        const StepTime a = step_time(two.micro, two.update, {3, overlap}, cost),
                       b = step_time(all.micro, all.update, {3, overlap}, cost);
        const std::string what =
            fmt::format("{} on {}, {}, {}", c.expression, c.mesh, name, overlap);
        EXPECT_NEAR(a.step_s, b.step_s, overlap ? 0.03 * b.step_s : 1e-9 * b.step_s) << what;
        EXPECT_NEAR(a.compute_s, b.compute_s, 1e-9 * b.compute_s) << what;
        EXPECT_NEAR(a.compute_s + a.exposed_comm_s, a.step_s, 1e-12) << what;
        EXPECT_NEAR(a.step_s, 3 * a.micro_batch_s + a.update_s, 1e-12) << what;
        EXPECT_NEAR(a.forward_s, b.forward_s, overlap ? 0.03 * b.step_s : 1e-9 * b.step_s) << what;
        EXPECT_NEAR(a.forward_s + a.backward_s, a.micro_batch_s, 1e-12) << what;
      }
}

}  // namespace
}  // namespace ithaca
