// What kernels keep changes no value: one layer and one micro-batch under the kernels of every profile beside the
// reference on one rank, and every strategy beside one rank under the same kernels.
#include "models/step.h"
#include "runtime/run.h"
#include "runtime/threads/thread_communicator.h"
#include "runtime/verify.h"
#include "tests/profiles.h"
#include "tests/runtime/cpu_steps.h"
#include "tests/shapes.h"

#include <bit>
#include <cstring>
#include <span>

namespace ithaca::test {
namespace {

constexpr std::int64_t vocabulary = 11;

/// Grouped heads, sizes without common factors.
LayerShape llama() {
  LayerShape n;
  n.b = 2, n.L = 5, n.d = 6, n.k = 2, n.g = 3, n.e = 4, n.i = 7;
  return n;
}
/// Biases, norms of heads and of halves, packed projections.
LayerShape gemma() {
  LayerShape n = llama();
  n.act = Act::geglu;
  n.qk_norm = n.post_norms = n.fused_qkv = n.qkv_bias = n.o_bias = n.mlp_bias = true;
  return n;
}
LayerShape neox() {
  LayerShape n = gemma();
  n.norm = Norm::layer, n.act = Act::gelu, n.parallel_residual = true;
  return n;
}
std::vector<LayerShape> shapes() {
  return {llama(), gemma(), neox()};
}

/// Gate and up of a packed matrix or bias [.. m i].
Tensor half_of(const Type& packed, const Tensor& x, std::int64_t half) {
  Tensor part;
  for_each_index(packed.dims, {}, {}, [&](const Index& at) {
    if (at.at(DimName::m) == half) part.push_back(x[offset(packed, {}, at)]);
  });
  return part;
}

/// Tensors of the reference by name, weights packed as they are there or apart.
class Reference {
 public:
  void add(const std::string& name, const Type& type, const Tensor& x) {
    known_[name] = x;
    for (const std::string end : {"w_up", "b_up"}) {
      if (!name.ends_with(end) || type.find(DimName::m) == nullptr) continue;
      const std::string gate = name.substr(0, name.size() - 2) + "gate";
      known_[gate] = half_of(type, x, 0);
      apart_[name] = half_of(type, x, 1);
    }
  }
  const Tensor& of(const std::string& name, std::size_t elements) const {
    const auto it = apart_.find(name);
    return it != apart_.end() && it->second.size() == elements ? it->second : known_.at(name);
  }

 private:
  std::map<std::string, Tensor> known_, apart_;
};

// ---- one layer
// ------------------------------------------------------------------------------------------

struct RanLayer {
  Layer layer;
  Tensors values;
};

RanLayer run_layer(const LayerShape& shape, const LayerOptions& options, const Reference* inputs) {
  RanLayer ran{one_rank(shape, options), {}};
  ran.layer.program = retype(ran.layer.program, DType::f64);
  const Program& p = ran.layer.program;
  ran.values = random_inputs(p, 11);
  for (const ValueId v : p.inputs())
    if (inputs != nullptr) ran.values[v] = inputs->of(p[v].name, ran.values[v].size());
  ran.values = interpret(p, ran.values);
  return ran;
}

struct Variant {
  Recompute recompute = {};
  std::int64_t tiles = 1;
};
std::vector<Variant> variants() {
  return {{}, {parse_recompute("selective", {}, ""), 1}, {true, 1}, {{}, 3}, {true, 3}};
}

void expect_reference_values(const LayerShape& shape, const Kernels& kernels) {
  const RanLayer reference = run_layer(shape, {.dtype = DType::f64}, nullptr);
  Reference inputs, gradients;
  const Program& p = reference.layer.program;
  for (const ValueId v : p.inputs()) inputs.add(p[v].name, p.type(v), reference.values[v]);
  for (const Parameter& w : reference.layer.weights)
    gradients.add(p[w.stored].name, p.type(w.grad), reference.values[w.grad]);
  for (const Variant& v : variants()) {
    LayerOptions options{
        .recompute = v.recompute, .dtype = DType::f64, .mlp_tiles = v.tiles, .kernels = kernels};
    const RanLayer ran = run_layer(shape, options, &inputs);
    expect_close(ran.values[ran.layer.y], reference.values[reference.layer.y]);
    expect_close(ran.values[ran.layer.dx], reference.values[reference.layer.dx]);
    for (const Parameter& w : ran.layer.weights) {
      SCOPED_TRACE(ran.layer.program[w.stored].name);
      const Tensor& got = ran.values[w.grad];
      expect_close(got, gradients.of(ran.layer.program[w.stored].name, got.size()));
    }
  }
}

TEST(ProfileKernels, LeaveALayerAsTheReferenceHasIt) {
  for (const LayerShape& shape : shapes())
    for (const NamedKernels& k : all_kernels()) {
      SCOPED_TRACE(k.name);
      expect_reference_values(shape, k.kernels);
    }
}

TEST(ProfileKernels, MakeTheStepsTheySay) {
  const auto made = [](const Kernels& k, auto op) {
    const Program p = one_rank(gemma(), {.kernels = k}).program;
    return std::ranges::count_if(
        p.steps(), [](const Step& s) { return std::holds_alternative<decltype(op)>(s.op); });
  };
  EXPECT_EQ(made({}, Multiply{}), 0);
  EXPECT_EQ(made({.norm_copies = true}, Multiply{}), 6 * 2);  // four norms, q and k; and back
  EXPECT_EQ(made({.norm_copies = true}, MultiplyGrad{}), 6);
  EXPECT_EQ(made({.gate_apart = true}, Multiply{}), 3);
  EXPECT_EQ(made({.rotation_tables = true}, RotationTable{}), 1);
}

// ---- one micro-batch
// ------------------------------------------------------------------------------------

struct RanStep {
  MicroBatch micro;
  Tensors values;
};

/// Every third label does not count.
void set_ids(RanStep& ran) {
  Tensor &tokens = ran.values[ran.micro.tokens], &labels = ran.values[ran.micro.labels];
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto token = static_cast<std::int64_t>(7 * i + 3) % vocabulary;
    const std::int64_t label = i % 3 == 0 ? -100 : static_cast<std::int64_t>(5 * i) % vocabulary;
    tokens[i] = std::bit_cast<double>(token);
    labels[i] = std::bit_cast<double>(label);
  }
}

RanStep run_step_of(const StepShape& shape, StepOptions options, const Reference* weights) {
  options.layer.dtype = DType::f64;
  options.unrolled = true;
  RanStep ran{micro_batch(shape, Mesh{}, options), {}};
  ran.micro.program = retype(ran.micro.program, DType::f64);
  ran.values = random_inputs(ran.micro.program, 11);
  set_ids(ran);
  ran.values[ran.micro.dloss] = {0.125};
  for (const Parameter& p : ran.micro.parameters)
    if (weights != nullptr) {
      Tensor& x = ran.values[p.stored];
      x = weights->of(p.name, x.size());
    }
  ran.values = interpret(ran.micro.program, ran.values);
  return ran;
}

void expect_reference_step(const StepShape& shape, const Kernels& kernels) {
  const RanStep reference = run_step_of(shape, {}, nullptr);
  Reference weights, gradients;
  for (const Parameter& p : reference.micro.parameters) {
    const Program& program = reference.micro.program;
    weights.add(p.name, program.type(p.stored), reference.values[p.stored]);
    gradients.add(p.name, program.type(p.grad), reference.values[p.grad]);
  }
  for (const Variant& v : variants())
    for (const std::int64_t loss_tiles : {1, 2}) {
      const StepOptions options{
          .layer = {.recompute = v.recompute, .mlp_tiles = v.tiles, .kernels = kernels},
          .loss_tiles = loss_tiles,
          .offload = v.recompute.full};
      const RanStep ran = run_step_of(shape, options, &weights);
      expect_close(ran.values[ran.micro.loss], reference.values[reference.micro.loss]);
      for (const Parameter& p : ran.micro.parameters) {
        SCOPED_TRACE(p.name);
        expect_close(ran.values[p.grad], gradients.of(p.name, ran.values[p.grad].size()));
      }
    }
}

TEST(ProfileKernels, LeaveAMicroBatchAsTheReferenceHasIt) {
  for (const bool tied : {false, true})
    for (const NamedKernels& k : all_kernels()) {
      SCOPED_TRACE(k.name);
      expect_reference_step({{{tied ? gemma() : llama(), {}, 2}}, vocabulary, tied}, k.kernels);
    }
}

// ---- in buffers that are taken over
// --------------------------------------------------------------------------

RankResult run_in_place(const Program& p, const Tensors& inputs) {
  RankResult result;
  CpuDevice device;
  const Runnable runnable(p);
  run_ranks(1, [&](ThreadCommunicator& communicator) {
    const auto input = [&](ValueId v) {
      const auto bytes = std::as_bytes(std::span(inputs[v]));
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    result = run_rank(runnable, device, communicator, input);
  });
  return result;
}

/// interpret() gives every value a buffer of its own.
TEST(ProfileKernels, ComputeTheSameInBuffersThatAreTakenOver) {
  for (const LayerShape& shape : shapes())
    for (const NamedKernels& k : all_kernels())
      for (const Variant& v : variants()) {
        SCOPED_TRACE(k.name);
        const RanLayer apart = run_layer(shape,
                                         {.recompute = v.recompute,
                                          .dtype = DType::f64,
                                          .mlp_tiles = v.tiles,
                                          .kernels = k.kernels},
                                         nullptr);
        const auto outputs = run_in_place(apart.layer.program, apart.values).outputs;
        for (const auto& [value, bytes] : outputs) {
          Tensor got(bytes.size() / sizeof(double));
          std::memcpy(got.data(), bytes.data(), bytes.size());
          expect_close(got, apart.values[value]);
        }
        EXPECT_EQ(outputs.size(), apart.layer.weights.size() + 2);
      }
}

TEST(Holds, EndInTheStepThatTakesTheirValueOver) {
  Builder b{Mesh{}};
  const Type row = f64({{DimName::L, 4, {}}, {DimName::d, 3, {}}});
  const ValueId x = b.input("x", row, Role::activation), y = b.input("y", row, Role::activation);
  const ValueId held = b.add("held", x, y), with = b.add("with", x, y);
  b.hold(held, with);
  const ValueId sum = b.add("sum", held, with);
  b.output(sum);
  const Program p = std::move(b).build();
  ASSERT_EQ(memory(p).lifetime[sum].takes_over, held);
  const RankResult ran = run_in_place(p, random_inputs(p, 3));
  EXPECT_EQ(ran.peak_live_bytes, memory(p).peak_bytes);
}

// ---- on many ranks
// --------------------------------------------------------------------------------------

LayerShape sharded_shape() {
  LayerShape n = shape_of(32, 24, {8, 2, 2}, 32);
  n.fused_qkv = true;
  return n;
}
LayerShape few_heads() {
  LayerShape n = shape_of(32, 24, {2, 8, 2}, 32);
  n.qk_norm = n.post_norms = true;
  return n;
}

std::vector<Case> sharded_cases() {
  return {{"tp", "t=4"},
          {"tp_sp", "t=4"},
          {"ulysses_zero3", "u=4"},
          {"usp_zero3", "r=2,u=2"},
          {"ring_zigzag_zero3", "r=4"},
          {"ring_homing_zero3", "r=2"},
          {"kv_gather_zero3", "c=4"},
          {"odysseus_zero3", "t=4"},
          {"ring_zero3(r) * tp(u)", "r=2,u=2"},
          {"ulysses_zero3(u) | tp_sp(u) | local_zero3(u)", "u=4"}};
}

void expect_one_ranks_layer(const LayerShape& shape, const Case& c, const VerifyOptions& options) {
  const Arrangement at = arrange(c.expression, parse_mesh(c.mesh), shape);
  const Verification v = verify_layer(shape, at.strategy, at.mesh, options);
  EXPECT_LE(v.max_relative_error(), 1e-10) << c.expression;
  EXPECT_LE(v.max_replica_difference(), 1e-10) << c.expression;
  EXPECT_TRUE(v.bytes_match()) << c.expression;
}

TEST(ProfileKernels, OnManyRanksRunAsOneRankDoesAndHoldWhatIsPredicted) {
  for (const Case& c : sharded_cases())
    for (const NamedKernels& k : all_kernels())
      for (const Variant& v : {Variant{}, Variant{true, 3}}) {
        SCOPED_TRACE(k.name);
        VerifyOptions options{DType::f64, v.recompute};
        options.kernels = k.kernels;
        options.mlp_tiles = v.tiles;
        expect_one_ranks_layer(sharded_shape(), c, options);
      }
}

TEST(ProfileKernels, WithReplicasOfKeyHeadsRunAsOneRankDoes) {
  for (const char* name : {"tp", "tp_sp", "ulysses_zero3", "odysseus_zero3"})
    for (const NamedKernels& k : all_kernels()) {
      SCOPED_TRACE(k.name);
      VerifyOptions options;
      options.kernels = k.kernels;
      expect_one_ranks_layer(
          few_heads(), {name, std::string(name).starts_with("ulysses") ? "u=4" : "t=4"}, options);
    }
}

}  // namespace
}  // namespace ithaca::test
