// reports/published_rows.h -- measurements that others published, one row each, as read from reports/published/*.yaml.
//
// A file is {source: {...}, rows: [...]}; reports/published/README.md says what the keys mean.  A key that is absent or
// null was not published: 0 for counts, empty for text, nothing for flags and figures.
#pragma once

#include "models/error.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ithaca {

struct PublishedModel {
  std::string name;
  double params_b = 0;  ///< parameters in 1e9
  std::int64_t layers = 0, hidden = 0, intermediate = 0, heads = 0, kv_heads = 0, head_dim = 0,
               vocab = 0;
  std::optional<bool> gated_mlp;
  bool moe = false;
};

struct PublishedParallelism {
  int dp = 0, tp = 0, ulysses = 0, ring_cp = 0, pp = 0, vpp = 0, ep = 0;
  std::optional<bool> sp;  ///< Megatron's sequence parallelism beside tp
  std::string cp_variant, zero_stage, odysseus;
};

struct PublishedRow {
  std::string file;  ///< stem of the file: "alst"
  Place place;       ///< where the row stands
  std::string id, source, locator, how_read, uncertainty, kind;
  PublishedModel model;
  std::int64_t seq_len = 0, global_batch = 0, micro_batch = 0, grad_accum = 0;
  std::string dtype, gpu;
  std::int64_t gpu_mem_gb = 0;
  int gpus = 0, gpus_per_node = 0, nodes = 0;
  std::string intra, inter;
  PublishedParallelism parallelism;
  std::string recompute, offload, attention, framework, optimizer;
  std::map<std::string, double, std::less<>> metrics;  ///< those that are numbers
  std::string mem_kind;                                ///< how memory was measured
  std::optional<bool> oom;
  std::string flops_convention, assumed, notes;

  std::optional<double> metric(std::string_view name) const;
};

/// The rows of a file.  Throws InputError with place and key for anything wrong.
std::vector<PublishedRow> published_file(const std::string& path);
/// The rows of every *.yaml of a folder, files in the order of their names; none when there is no such file.  Throws
/// InputError when an id occurs twice.
std::vector<PublishedRow> published_rows(const std::string& folder);
/// The folder that ships with the program.
std::string published_folder();

}  // namespace ithaca
