// reports/kernel_accuracy.h -- single kernels as predicted beside what others measured.
//
// A file is {source: {...}, rows: [...]} or {header: {...}, rows: [...]}; what a row leaves out, such as `gpu`, stands in
// its head.  A row is a matrix product (m, n, k) or attention (seq_len, heads, head_dim, causal, pass, kernel) with ms or
// tflops; other rows, and GPUs without a preset, are listed with the reason.  Predicted at the boost clock, as benchmarks
// of a few milliseconds run, but for products of 1e12 FLOPs and more: these are at the sustained clock.  FLOPs: 2 m n k;
// 4 L^2 head_dim a head forward, 10 backward, half of it under a causal mask.
#pragma once

#include "reports/accuracy.h"

#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

struct KernelPrediction {
  std::string id, source;  ///< "file row 3"; stem of its file
  std::string what;        ///< "product", "attention forward", "... backward", "... both"
  double measured_s = 0, predicted_s = 0;
  std::string gpu;  ///< the preset
  double error() const { return predicted_s / measured_s - 1; }
};

struct KernelAccuracy {
  std::vector<KernelPrediction> predictions;
  std::vector<UnmodelledRow> unmodelled;
};

/// Of every *.yaml of a folder, files in the order of their names; nothing when there is no such folder.  InputError with
/// place and key where a figure does not read.
KernelAccuracy kernel_accuracy(const std::string& folder);

/// Of a source, or of all when it is empty.
ErrorStatistics kernel_statistics(const KernelAccuracy&, std::string_view source);

}  // namespace ithaca
