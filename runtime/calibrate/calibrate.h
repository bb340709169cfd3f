// runtime/calibrate/calibrate.h -- a machine's kernels and collectives, measured step by step.
//
// Every figure is of one step apart from any program: products, attention and other operations of sizes chosen here, on
// one rank; how much longer some of them take with more ranks at once; collectives with all ranks at work, also of groups
// beside one another.  Nothing is taken from whole layers or steps.
#pragma once

#include "runtime/calibrate/meter.h"
#include "sim/cluster.h"

#include <functional>
#include <string>
#include <vector>

namespace ithaca {

/// Twice the last-level cache as the system states it, at least 64 MiB and at most 256 MiB.
std::int64_t beyond_caches();

struct CalibrateOptions {
  int ranks = 8;  ///< at most at once
  int cores = 1;
  std::vector<std::int64_t> product_sizes{16, 64, 256, 1024};  ///< m, n and k, rising
  std::vector<std::int64_t> head_dims{16, 32, 64, 128};
  std::vector<std::int64_t> attention_tokens{128, 1024};  ///< two lengths
  std::vector<std::int64_t> tokens{16, 128, 1024};        ///< of operations bound by memory
  std::vector<std::int64_t> message_bytes{std::int64_t{4} << 10, std::int64_t{64} << 10,
                                          std::int64_t{1} << 20, std::int64_t{8} << 20};
  std::int64_t memory_bytes =
      beyond_caches();              ///< of the addition that tells the memory's bandwidth
  static CalibrateOptions quick();  ///< the least of everything: seconds, and coarse
};

struct MeasuredMachine {
  MeasuredKernels kernels;
  std::vector<CollectiveTable> collectives;
  double peak_flops_per_s = 0;    ///< best product of f32
  double memory_bytes_per_s = 0;  ///< an addition whose operands no cache holds
  double link_latency_s = 0;      ///< per hop of the widest gather
  double link_bandwidth_bytes_per_s = 0;
};

/// `say` is told what is measured next.
MeasuredMachine calibrate(Meter&, const CalibrateOptions&,
                          const std::function<void(const std::string&)>& say);

/// 1, 2, 4 ... and `most`.
std::vector<int> levels(int most);

}  // namespace ithaca
