// cli/options.h -- the flags verbs share, and what they come to.
//
// Flags are kept as text until a verb reads them, so that every fault has the same form:
// `--seq: expected ..., got ..., hint`.  All functions throw InputError.
#pragma once

#include "cli/console.h"
#include "planner/price.h"

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>

namespace ithaca {

struct Options {
  std::string model, seq, batch, layers;
  std::string hidden, intermediate, heads, kv_heads, head_dim, mask;
  std::string cluster, gpus;
  std::string strategy, mesh, recompute, schedule;
  std::string recipe, micro_batches, mlp_tiles, loss_tiles, profile;
  std::string adapter_rank, bucket_elements, comm_chunks;
  bool offload = false, optimizer_offload = false, weights_offload = false, forward_only = false;
  std::string output;
  bool json = false, csv = false, markdown = false;
};

void add_model_options(CLI::App&, Options&);
void add_cluster_options(CLI::App&, Options&);
void add_strategy_options(CLI::App&, Options&);
void add_step_options(CLI::App&, Options&);
void add_profile_option(CLI::App&, Options&);
/// All of these, and how the result is written.
void add_pricing_options(CLI::App&, Options&);

/// A decimal integer.
std::int64_t whole(const std::string& text, std::string_view flag, std::int64_t least,
                   std::int64_t most);
/// One of the words; the first when nothing was said.
std::string one_of(const std::string& text, std::string_view flag,
                   std::initializer_list<std::string_view> words);
/// Fills in a flag that was not given, and says so.
void take_default(std::string& text, const char* value, const char* flag, Console&);

/// What is asked about: a model by name, or bare sizes.
struct Subject {
  std::string name;
  LayerShape shape;
  std::int64_t layers = 1;
  std::int64_t vocabulary = 0;  ///< 0: unknown
  bool tied = false;
  std::int64_t window = 0, window_layers = 0;
};
/// Notes what the layer program leaves out of the model, and what was assumed for bare sizes.
Subject subject_of(const Options&, Console&);

int gpus_of(const Options&);
bool overlaps(const Options&);
/// Refuses --offload where nothing is recomputed in full.
Recompute recomputes(const Options&);
/// The reference when nothing was said.
const Profile& profile_of(const Options&);
/// Everything a price needs.  Needs --seq, --gpus and --cluster.
Job job_of(const Options&, Console&);

}  // namespace ithaca
