// What pricing one step of Llama-3.1-405B on thousands of GPUs takes: the timelines of all distinct ranks, and everything
// that `cost` says.  The distinct ranks are those of a causal ring dealt in blocks, each of which has other work.
#include "planner/price.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>

namespace ithaca {
namespace {

constexpr int tp = 8;

Mesh mesh_of(int gpus, int ring) {
  return Mesh({{"d", gpus / ring / tp}, {"r", ring}, {"t", tp}});
}

Job llama_405b(int gpus, int ring) {
  const ModelSpec model = load_model("llama-3.1-405b");
  Job job;
  job.model = model.name;
  job.shape = layer_shape(model, gpus / ring / tp, 131072);
  job.layers = model.layers;
  job.vocabulary = model.vocabulary;
  job.cluster = load_cluster("dgx-h100");
  job.gpus = gpus;
  return job;
}

const char* const strategy = "data_zero3(d) * ring_ddp(r) * tp_sp(t)";

void count_memory(benchmark::State& state) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["most_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}

void simulated_step(benchmark::State& state) {
  const auto gpus = static_cast<int>(state.range(0)), ring = static_cast<int>(state.range(1));
  const Job job = llama_405b(gpus, ring);
  const Arrangement at = arrange(strategy, mesh_of(gpus, ring), job.shape);
  const StepPrograms step = step_of(job, at, true);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        step_time(step.micro, step.update, {1, true}, ClusterCost(job.cluster)).step_s);
  count_memory(state);
}

void priced_step(benchmark::State& state) {
  const auto gpus = static_cast<int>(state.range(0)), ring = static_cast<int>(state.range(1));
  const Job job = llama_405b(gpus, ring);
  for (auto _ : state)
    benchmark::DoNotOptimize(price(job, strategy, mesh_of(gpus, ring), true).time.step_s);
  count_memory(state);
}

constexpr int many = 16384, most = 131072;
BENCHMARK(simulated_step)
    ->Args({many, 16})
    ->Args({many, 64})
    ->Args({most, 16})
    ->Args({most, 64})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(priced_step)->Args({many, 16})->Args({most, 64})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ithaca
