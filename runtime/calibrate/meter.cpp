#include "runtime/calibrate/meter.h"

#include "models/builder.h"
#include "models/wire.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/run.h"
#include "runtime/threads/thread_communicator.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace ithaca {
namespace {

constexpr int most_copies = 400;

/// One half everywhere, and the first id: values that no kernel finds easier or harder than others.
std::vector<std::byte> filled(const Type& t, const Mesh& mesh) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(local_bytes(t, mesh)));
  const auto fill = [&]<class T>(T half) {
    for (std::size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T))
      std::memcpy(bytes.data() + at, &half, sizeof(T));
  };
  if (t.dtype == DType::f64) fill(0.5);
  if (t.dtype == DType::f32) fill(0.5F);
  return bytes;
}

using Spans = std::vector<std::vector<Span>>;  // by rank

Spans run_once(const Runnable& runnable) {
  const Program& p = runnable.program;
  Spans spans(static_cast<std::size_t>(p.mesh().ranks()));
  CpuDevice device;
  run_ranks(p.mesh().ranks(), [&](ThreadCommunicator& communicator) {
    spans[static_cast<std::size_t>(communicator.rank())] =
        run_rank(runnable, device, communicator, [&](ValueId v) {
          return filled(p.type(v), p.mesh());
        }).spans;
  });
  return spans;
}

/// Mean of `copies` steps from the first rank's begin to the last one's end.
double mean_s(const Spans& spans, std::size_t first, std::size_t copies) {
  double begin_s = std::numeric_limits<double>::infinity(), end_s = 0;
  for (const std::vector<Span>& of_rank : spans) {
    begin_s = std::min(begin_s, of_rank[first].begin_s);
    end_s = std::max(end_s, of_rank[first + copies - 1].end_s);
  }
  return (end_s - begin_s) / static_cast<double>(copies);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

std::int64_t operand_bytes(const Program& p, const Step& step, const Mesh& mesh) {
  std::int64_t bytes = 0;
  for (const ValueId v : step.in) bytes += local_bytes(p.type(v), mesh);
  return bytes;
}

}  // namespace

Program isolated(const Program& p, const Step& step, const Mesh& mesh, const Copies& copies) {
  Builder b(mesh);
  std::vector<Ids> sets(static_cast<std::size_t>(copies.sets));
  for (Ids& in : sets)
    for (const ValueId v : step.in) in.push_back(b.input(p[v].name, p.type(v), p[v].role));
  for (int i = 0; i < copies.times; ++i)
    b.repeat(p, step, sets[static_cast<std::size_t>(i % copies.sets)]);
  return std::move(b).build();
}

double ThreadMeter::seconds(const Program& p, const Step& step, const Mesh& mesh) {
  const bool alone = mesh.ranks() == 1;
  const double once_s = mean_s(run_once(Runnable(isolated(p, step, mesh, {}))), 0, 1);
  const double wanted = std::ceil((alone ? options_.least_s : options_.together_s) / once_s);
  const int most = alone ? std::max(1, most_copies / options_.repeats) : most_copies;
  const int each = static_cast<int>(std::clamp(wanted, 1.0, static_cast<double>(most)));
  const int times = alone ? each * options_.repeats : each;
  const std::int64_t bytes = std::max<std::int64_t>(1, operand_bytes(p, step, mesh));
  const bool sends = traffic_of(p, step).wire != Wire::none;
  const std::int64_t wanted_bytes = options_.operand_bytes / (sends ? 8 : 1);
  const std::int64_t sets = std::clamp<std::int64_t>((wanted_bytes + bytes - 1) / bytes, 1, times);
  const Runnable runnable(isolated(p, step, mesh, {times, static_cast<int>(sets)}));
  std::vector<double> all;
  // Alone, one run has all means; together, ranks drift apart: a run each.
  if (alone) {
    const Spans spans = run_once(runnable);
    for (int i = 0; i < options_.repeats; ++i)
      all.push_back(
          mean_s(spans, static_cast<std::size_t>(i * each), static_cast<std::size_t>(each)));
  } else {
    for (int i = 0; i < options_.repeats; ++i)
      all.push_back(mean_s(run_once(runnable), 0, static_cast<std::size_t>(times)));
  }
  return median(std::move(all));
}

}  // namespace ithaca
