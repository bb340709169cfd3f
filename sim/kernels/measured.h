// sim/kernels/measured.h -- kernels as measured on the very machine: what `ithaca calibrate` writes of a CPU.
//
// Seconds of one rank at work alone, without the launch of its step.  Ranks that are threads share cores, caches and
// memory: `at_once` says how many times longer a kernel takes when so many ranks do the same.
//
//     product     2 m n k / rate(m, n, k)                       rates straight between sizes, on logarithmic axes
//     attention   flops (1 + overhead / keys) / rate            as AttentionCurve of sim/kernels/rates.h
//     other       seconds by bytes of operands and results      the same axes
//
// Where a mask leaves ranks unequal work, cores that some leave others take: a rank ends with its own work at a rank a
// core, or with its share of everybody's, whichever is later.
#pragma once

#include "models/program.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ithaca {

class Yaml;

struct MeasuredProducts {
  DType dtype;
  std::vector<std::int64_t> sizes;  ///< rising; of m, n and k alike
  std::vector<double> flops_per_s;  ///< by m, n and k; k varies fastest
};

struct MeasuredAttention {
  DType dtype;
  bool backward, causal;
  std::int64_t head_dim;
  double flops_per_s, overhead_keys;
};

struct MeasuredOp {
  struct Point {
    double bytes, seconds;
  };
  std::string op;  ///< as measured_name() says
  DType dtype;
  std::vector<Point> points;  ///< by rising bytes
};

/// Times as long with so many ranks at once.
struct Slowdown {
  int ranks = 1;
  double products = 1, attention = 1,
         others = 1;  ///< what the runtime takes for a step: as products
};

struct MeasuredTime {
  double compute_s = 0, memory_s = 0, launch_s = 0;
};

struct MeasuredKernels {
  int cores = 0;
  double launch_s = 0;  ///< what the runtime takes for a step, whatever it does
  std::vector<MeasuredProducts> products;
  std::vector<MeasuredAttention> attention;  ///< of a dtype, pass and mask by rising head_dim
  std::vector<MeasuredOp> others;
  std::vector<Slowdown> at_once;  ///< by rising ranks

  bool empty() const { return products.empty(); }
  /// With all ranks of the program's mesh at it.  A dtype that was not measured counts as f32; an operation that was not
  /// as `add`.
  MeasuredTime time(const Program&, const Step&, int rank) const;
  Slowdown slowdown(int ranks) const;
};

/// The name of an operation together with its kind where kinds differ: "norm rms", "act swiglu".
std::string measured_name(const Op&);

/// InputError for anything wrong.
MeasuredKernels read_measured(const Yaml&);

}  // namespace ithaca
