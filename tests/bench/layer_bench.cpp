// What one layer costs on the CPU: its matrix products beside plain Eigen products of the same
// shapes, attention apart, and building, differentiating and counting the program itself.
#include "models/layer.h"
#include "runtime/cpu/call.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/einsum_fold.h"
#include "sim/count.h"

#include <benchmark/benchmark.h>
#include <vector>

namespace ithaca {
namespace {

LayerShape small_layer() {
  LayerShape n;
  n.L = 1024, n.d = 1024, n.k = 4, n.g = 4, n.e = 64, n.i = 2816;
  return n;
}
LayerShape masked(const Mask& mask) {
  LayerShape n = small_layer();
  n.L = 4096;
  n.mask = mask;
  return n;
}
LayerShape llama_8b(std::int64_t tokens) {
  LayerShape n;
  n.L = tokens, n.d = 4096, n.k = 8, n.g = 4, n.e = 128, n.i = 14336;
  return n;
}

double seconds(const auto& work) {
  const double begin_s = CpuDevice().now_s(Lane{});
  work();
  return CpuDevice().now_s(Lane{}) - begin_s;
}

/// One step with its operands and results, random numbers within one of zero.
struct Single {
  const Program& program;
  const Step& step;
  std::vector<std::vector<float>> in, out;

  Single(const Program& p, const Step& s) : program(p), step(s) {
    for (const ValueId v : s.in) in.push_back(tensor(v));
    for (const ValueId v : s.out) out.push_back(tensor(v));
  }
  std::vector<float> tensor(ValueId v) const {
    std::vector<float> x(static_cast<std::size_t>(local_elements(program.type(v), program.mesh())));
    Eigen::Map<Eigen::ArrayXf>(x.data(), static_cast<Eigen::Index>(x.size())).setRandom();
    return x;
  }
  void run() {
    std::vector<const std::byte*> from;
    std::vector<std::byte*> to;
    for (auto& x : in) from.push_back(reinterpret_cast<const std::byte*>(x.data()));
    for (auto& x : out) to.push_back(reinterpret_cast<std::byte*>(x.data()));
    CpuDevice().compute(program, step, 0, from, to, Lane{});
  }
};

/// Plain column-major products of the same m, n and k, nothing transposed.
double eigen_s(const Fold& f) {
  const Eigen::MatrixXf a = Eigen::MatrixXf::Random(f.m, f.k),
                        b = Eigen::MatrixXf::Random(f.k, f.n);
  Eigen::MatrixXf y = Eigen::MatrixXf::Zero(f.m, f.n);
  return seconds([&] {
    y.noalias() = a * b;
    benchmark::DoNotOptimize(y.data());
  });
}

/// Counters: GFLOP/s through the device, through Eigen, and their ratio (aim: 0.8 or more).
void products(benchmark::State& state, const LayerShape& shape) {
  const Program p = retype(one_rank(shape).program, DType::f32);
  double device_s = 0, plain_s = 0, flops = 0;
  for (auto _ : state) {
    const double before_s = device_s;
    for (const Step& step : p.steps()) {
      if (!std::holds_alternative<Einsum>(step.op)) continue;
      Single single(p, step);
      device_s += seconds([&] { single.run(); });
      plain_s += eigen_s(fold(p, step));
      flops += static_cast<double>(work_of(p, step, 0).matmul_flops);
    }
    state.SetIterationTime(device_s - before_s);
  }
  state.counters["device_gflops"] = flops / device_s * 1e-9;
  state.counters["eigen_gflops"] = flops / plain_s * 1e-9;
  state.counters["ratio"] = plain_s / device_s;
}
BENCHMARK_CAPTURE(products, d1024_L1024, small_layer())->UseManualTime()->Iterations(5);
BENCHMARK_CAPTURE(products, llama8b_L512, llama_8b(512))->UseManualTime()->Iterations(1);

/// GFLOP/s over unmasked pairs.
template <class Kind>
void attention(benchmark::State& state, const LayerShape& shape) {
  const Program p = retype(one_rank(shape).program, DType::f32);
  for (const Step& step : p.steps()) {
    if (!std::holds_alternative<Kind>(step.op)) continue;
    Single single(p, step);
    if (single.in.size() > 4) single.in[4].assign(single.in[4].size(), 8.0F);  // a log-sum-exp
    for (auto _ : state) single.run();
    state.counters["gflops"] =
        benchmark::Counter(static_cast<double>(work_of(p, step, 0).attention_flops) * 1e-9,
                           benchmark::Counter::kIsIterationInvariantRate);
  }
}
void attention_forward(benchmark::State& state, const LayerShape& shape) {
  attention<Attend>(state, shape);
}
void attention_backward(benchmark::State& state, const LayerShape& shape) {
  attention<AttendGrad>(state, shape);
}
BENCHMARK_CAPTURE(attention_forward, d1024_L1024, small_layer());
BENCHMARK_CAPTURE(attention_backward, d1024_L1024, small_layer());
BENCHMARK_CAPTURE(attention_forward, d1024_L4096, masked({}));
BENCHMARK_CAPTURE(attention_forward, d1024_L4096_window512, masked(Mask::window(512)));
BENCHMARK_CAPTURE(attention_forward, d1024_L4096_fixed, masked(Mask::fixed(64, 4, 1)));
BENCHMARK_CAPTURE(attention_forward, d1024_L4096_strided, masked(Mask::strided(64, 4, 16)));
BENCHMARK_CAPTURE(attention_backward, d1024_L4096, masked({}));
BENCHMARK_CAPTURE(attention_backward, d1024_L4096_window512, masked(Mask::window(512)));
BENCHMARK_CAPTURE(attention_forward, llama8b_L2048, llama_8b(2048));
BENCHMARK_CAPTURE(attention_backward, llama8b_L2048, llama_8b(2048));

// ---- The program itself: build, differentiate and count
// ------------------------------------------

using Table = Strategy (*)(const Mesh&);

Strategy table_tp(const Mesh& m) {
  return tp({{}, {m.axis("n")}});
}
Strategy table_tp_sp(const Mesh& m) {
  return tp_sp({{}, {m.axis("n")}});
}
Strategy table_odysseus(const Mesh& m) {
  return odysseus({{}, {m.axis("n")}});
}
Strategy table_ulysses(const Mesh& m) {
  return ulysses({{}, {m.axis("n")}}, zero3({m.axis("n")}));
}
Strategy table_kv_gather(const Mesh& m) {
  return kv_gather(m.axis("n"), Deal::zigzag, zero3({m.axis("n")}));
}
Strategy table_ring(const Mesh& m) {
  return ring(m.axis("n"), Deal::zigzag, zero3({m.axis("n")}));
}
Strategy table_ring_homing(const Mesh& m) {
  return ring_homing(m.axis("n"), Deal::zigzag, zero3({m.axis("n")}));
}
Strategy table_data(const Mesh& m) {
  return data({m.axis("n")}, ddp());
}

/// Aim: 100 us on 8 ranks, rings 200 us; a ring of 64 ranks 1 ms.
void program(benchmark::State& state, Table table, int ranks) {
  LayerShape n = llama_8b(32768);
  n.b = ranks;
  const Mesh mesh({{"n", ranks}});
  const Strategy strategy = table(mesh);
  for (auto _ : state) {
    const Layer layer = layer_program(n, strategy, mesh);
    benchmark::DoNotOptimize(count(layer.program));
  }
}
BENCHMARK_CAPTURE(program, tp, table_tp, 8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(program, tp_sp, table_tp_sp, 8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(program, odysseus, table_odysseus, 8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(program, ulysses, table_ulysses, 8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(program, kv_gather, table_kv_gather, 8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(program, data, table_data, 8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(program, ring, table_ring, 8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(program, ring_homing, table_ring_homing, 8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(program, ring_of_64, table_ring, 64)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ithaca
