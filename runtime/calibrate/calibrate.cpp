#include "runtime/calibrate/calibrate.h"

#include "models/error.h"
#include "runtime/calibrate/samples.h"
#include "sim/count.h"
#include "sim/measured_collectives.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <unistd.h>

namespace ithaca {
namespace {

constexpr std::array dtypes{DType::f64, DType::f32};

double geometric_mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

class Calibration {
 public:
  Calibration(Meter& meter, const CalibrateOptions& options,
              const std::function<void(const std::string&)>& say)
      : meter_(meter), o_(options), say_(say) {
    machine_.kernels.cores = options.cores;
  }

  MeasuredMachine run() && {
    say_("launch of a step");
    machine_.kernels.launch_s = seconds(nothing_sample(), 1);
    memory();
    for (const DType dtype : dtypes) {
      products(dtype);
      attention(dtype);
      others(dtype);
    }
    for (const int ranks : levels(o_.ranks)) {
      at_once(ranks);
      collectives(ranks);
    }
    link();
    return std::move(machine_);
  }

 private:
  double seconds(const Sample& s, int ranks) {
    const Mesh mesh = ranks == 1 ? Mesh{} : Mesh({{"x", ranks}});
    return meter_.seconds(s.program, s.step(), mesh);
  }
  /// Without the launch; what is too short to tell counts as a tenth of it.
  double kernel_s(const Sample& s) {
    const double launch_s = machine_.kernels.launch_s;
    return std::max(seconds(s, 1) - launch_s, launch_s / 10);
  }

  void memory() {
    say_("memory");
    const Sample s = addition_sample(o_.memory_bytes);
    machine_.memory_bytes_per_s =
        static_cast<double>(work_of(s.program, s.step(), 0).moved_bytes) / kernel_s(s);
  }

  void products(DType dtype) {
    say_(fmt::format("matrix products in {}", name_of(dtype)));
    MeasuredProducts table{dtype, o_.product_sizes, {}};
    for (const std::int64_t m : o_.product_sizes)
      for (const std::int64_t n : o_.product_sizes)
        for (const std::int64_t k : o_.product_sizes) {
          double all_s =
              0;  // forward, and the gradients of both operands: a layer has as many of each
          for (const Layouts how : {Layouts::plain, Layouts::b_transposed, Layouts::a_transposed})
            all_s += kernel_s(product_sample({m, n, k}, how, dtype));
          table.flops_per_s.push_back(3 * 2.0 * static_cast<double>(m * n * k) / all_s);
          if (dtype == DType::f32)
            machine_.peak_flops_per_s =
                std::max(machine_.peak_flops_per_s, table.flops_per_s.back());
        }
    machine_.kernels.products.push_back(std::move(table));
  }

  void attention(DType dtype) {
    say_(fmt::format("attention in {}", name_of(dtype)));
    for (const bool backward : {false, true})
      for (const bool causal : {false, true})
        for (const std::int64_t e : o_.head_dims)
          machine_.kernels.attention.push_back(curve(dtype, backward, causal, e));
  }

  /// Two lengths give what a pair takes and what a row does besides.
  MeasuredAttention curve(DType dtype, bool backward, bool causal, std::int64_t e) {
    std::array<double, 2> per_flop_s{}, pairs{}, rows{};
    for (std::size_t i = 0; i < 2; ++i) {
      const std::int64_t L = o_.attention_tokens[i];
      const Sample s = attention_sample(L, e, causal, backward, dtype);
      rows[i] = static_cast<double>(L);
      pairs[i] = static_cast<double>(attention_pairs(s.program, s.step(), 0));
      per_flop_s[i] = kernel_s(s) / (static_cast<double>(sample_heads * e) * (backward ? 10 : 4));
    }
    const double det = pairs[0] * rows[1] - pairs[1] * rows[0];
    double pair_s = (per_flop_s[0] * rows[1] - per_flop_s[1] * rows[0]) / det;
    double row_s = (pairs[0] * per_flop_s[1] - pairs[1] * per_flop_s[0]) / det;
    if (row_s < 0 || pair_s <= 0) {
      row_s = 0;
      pair_s = per_flop_s[1] / pairs[1];
    }
    return {dtype, backward, causal, e, 1 / pair_s, row_s / pair_s};
  }

  void others(DType dtype) {
    say_(fmt::format("other operations in {}", name_of(dtype)));
    for (const std::int64_t tokens : o_.tokens)
      for (const Sample& s : other_samples(tokens, dtype)) {
        const std::string name = measured_name(s.step().op);
        auto& all = machine_.kernels.others;
        auto it = std::ranges::find_if(
            all, [&](const MeasuredOp& op) { return op.op == name && op.dtype == dtype; });
        if (it == all.end()) it = all.insert(all.end(), {name, dtype, {}});
        const double bytes = static_cast<double>(work_of(s.program, s.step(), 0).moved_bytes);
        if (it->points.empty() || it->points.back().bytes < bytes)
          it->points.push_back({bytes, kernel_s(s)});
      }
  }

  /// The same samples with one rank at work and with all.
  double times_longer(const std::vector<Sample>& samples, int ranks) {
    std::vector<double> ratios;
    for (const Sample& s : samples) ratios.push_back(seconds(s, ranks) / seconds(s, 1));
    return geometric_mean(ratios);
  }

  void at_once(int ranks) {
    if (ranks == 1) {
      machine_.kernels.at_once.push_back({});
      return;
    }
    say_(fmt::format("{} ranks at once", ranks));
    const std::int64_t size = o_.product_sizes[o_.product_sizes.size() / 2];
    const std::int64_t e = o_.head_dims[o_.head_dims.size() / 2];
    const std::int64_t L = o_.attention_tokens[1];
    std::vector<Sample> products, attention, others;
    for (const DType dtype : dtypes) {
      products.push_back(product_sample({size, size, size}, Layouts::plain, dtype));
      attention.push_back(attention_sample(L, e, true, true, dtype));
    }
    others = common_samples(o_.tokens.back(), DType::f64);
    machine_.kernels.at_once.push_back({ranks, times_longer(products, ranks),
                                        times_longer(attention, ranks),
                                        times_longer(others, ranks)});
  }

  void collectives(int ranks) {
    if (ranks == 1) return;
    say_(fmt::format("collectives of {} ranks", ranks));
    for (const int members : levels(ranks)) {
      if (members == 1 || ranks % members != 0) continue;
      for (const Wire wire : {Wire::all_gather, Wire::reduce_scatter, Wire::all_reduce,
                              Wire::all_to_all, Wire::send_recv})
        machine_.collectives.push_back(table(wire, members, ranks));
    }
  }

  CollectiveTable table(Wire wire, int members, int ranks) {
    CollectiveTable table;
    table.collective = nccl_tests_name(wire);
    table.gpus = members;
    table.nodes = 1;
    table.at_once = ranks;
    const double launch_s = machine_.kernels.launch_s;
    for (const std::int64_t bytes : o_.message_bytes) {
      const Sample s = collective_sample(wire, members, ranks, bytes);
      const double took_s = meter_.seconds(s.program, s.step(), s.program.mesh());
      table.points.push_back(
          {whole_bytes(traffic_of(s.program, s.step())), std::max(took_s, launch_s / 10)});
    }
    return table;
  }

  /// Of the widest gather: latency of a hop, and bandwidth between the two largest sizes.
  void link() {
    machine_.link_latency_s = machine_.kernels.launch_s;
    machine_.link_bandwidth_bytes_per_s = machine_.memory_bytes_per_s / 2;
    for (const CollectiveTable& t : machine_.collectives) {
      if (t.collective != "all_gather" || t.gpus != o_.ranks || t.points.size() < 2) continue;
      const CollectivePoint &last = t.points.back(), &before = t.points[t.points.size() - 2];
      const double hops = t.gpus - 1, sent = (last.bytes - before.bytes) * hops / t.gpus;
      machine_.link_latency_s = t.points.front().seconds / hops;
      if (last.bytes > before.bytes && last.seconds > before.seconds)
        machine_.link_bandwidth_bytes_per_s = sent / (last.seconds - before.seconds);
    }
  }

  Meter& meter_;
  const CalibrateOptions& o_;
  const std::function<void(const std::string&)>& say_;
  MeasuredMachine machine_;
};

}  // namespace

std::int64_t beyond_caches() {
  const std::int64_t cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return std::clamp(2 * cache, std::int64_t{64} << 20, std::int64_t{256} << 20);
}

CalibrateOptions CalibrateOptions::quick() {
  CalibrateOptions o;
  o.product_sizes = {16, 64};
  o.head_dims = {16};
  o.attention_tokens = {16, 64};
  o.tokens = {16, 64};
  o.message_bytes = {std::int64_t{4} << 10, std::int64_t{64} << 10};
  return o;
}

std::vector<int> levels(int most) {
  std::vector<int> all;
  for (int n = 1; n < most; n *= 2) all.push_back(n);
  all.push_back(most);
  return all;
}

MeasuredMachine calibrate(Meter& meter, const CalibrateOptions& options,
                          const std::function<void(const std::string&)>& say) {
  return Calibration(meter, options, say).run();
}

}  // namespace ithaca
