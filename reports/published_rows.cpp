#include "reports/published_rows.h"

#include "models/data_dir.h"
#include "models/nearest.h"
#include "models/yaml.h"
#include "reports/yaml_files.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <limits>
#include <set>
#include <system_error>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

/// A key that was published, if it was.
std::optional<Yaml> stated(const Yaml& map, std::string_view key) {
  const std::optional<Yaml> found = map.find(key);
  return found && !found->is_blank() ? found : std::nullopt;
}
void take(const Yaml& map, std::string_view key, std::string& to) {
  if (const auto found = stated(map, key)) to = found->text();
}
void take(const Yaml& map, std::string_view key, std::int64_t& to) {
  if (const auto found = stated(map, key))
    to = found->integer(0, std::numeric_limits<std::int64_t>::max());
}
void take(const Yaml& map, std::string_view key, int& to) {
  if (const auto found = stated(map, key))
    to = static_cast<int>(found->integer(0, std::numeric_limits<int>::max()));
}
void take(const Yaml& map, std::string_view key, std::optional<bool>& to) {
  if (const auto found = stated(map, key)) to = found->boolean();
}

PublishedModel read_model(const Yaml& y) {
  y.allow({"name", "params_b", "layers", "hidden", "intermediate", "heads", "kv_heads", "head_dim",
           "vocab", "gated_mlp", "moe"});
  PublishedModel m;
  take(y, "name", m.name);
  if (const auto found = stated(y, "params_b")) m.params_b = found->positive();
  take(y, "layers", m.layers);
  take(y, "hidden", m.hidden);
  take(y, "intermediate", m.intermediate);
  take(y, "heads", m.heads);
  take(y, "kv_heads", m.kv_heads);
  take(y, "head_dim", m.head_dim);
  take(y, "vocab", m.vocab);
  take(y, "gated_mlp", m.gated_mlp);
  if (const auto found = stated(y, "moe")) m.moe = found->boolean();
  return m;
}

PublishedParallelism read_parallelism(const Yaml& y) {
  y.allow({"dp", "tp", "sp", "ulysses", "ring_cp", "cp_variant", "pp", "vpp", "ep", "zero_stage",
           "odysseus"});
  PublishedParallelism p;
  take(y, "dp", p.dp);
  take(y, "tp", p.tp);
  take(y, "sp", p.sp);
  take(y, "ulysses", p.ulysses);
  take(y, "ring_cp", p.ring_cp);
  take(y, "cp_variant", p.cp_variant);
  take(y, "pp", p.pp);
  take(y, "vpp", p.vpp);
  take(y, "ep", p.ep);
  take(y, "zero_stage", p.zero_stage);
  take(y, "odysseus", p.odysseus);
  return p;
}

void read_metrics(const Yaml& y, PublishedRow& row) {
  y.allow({"iter_time_s", "tokens_per_s_per_gpu", "tokens_per_s_total", "tflops_per_gpu", "mfu_pct",
           "hfu_pct", "peak_mem_gib", "mem_allocated_gib", "mem_reserved_gib", "mem_kind",
           "max_seq_len", "iters_per_s", "fwd_ms", "bwd_ms", "fwd_bwd_ms", "relative", "oom"});
  for (const std::string& key : y.keys()) {
    if (key == "mem_kind")
      take(y, key, row.mem_kind);
    else if (key == "oom")
      take(y, key, row.oom);
    else if (const auto found = stated(y, key))
      row.metrics[key] = found->positive();
  }
}

PublishedRow read_row(const Yaml& y) {
  y.allow({"id",          "source",     "locator",       "how_read",        "uncertainty",
           "kind",        "model",      "seq_len",       "dtype",           "global_batch",
           "micro_batch", "grad_accum", "gpu",           "gpu_mem_gb",      "gpus",
           "nodes",       "intra",      "gpus_per_node", "inter",           "parallelism",
           "recompute",   "offload",    "attention",     "framework",       "optimizer",
           "metrics",     "assumed",    "notes",         "flops_convention"});
  PublishedRow row;
  row.place = y.place();
  row.id = y.at("id").text();
  row.kind = y.at("kind").text();
  for (const auto& [key, to] : std::initializer_list<std::pair<std::string_view, std::string*>>{
           {"source", &row.source},
           {"locator", &row.locator},
           {"how_read", &row.how_read},
           {"uncertainty", &row.uncertainty},
           {"dtype", &row.dtype},
           {"gpu", &row.gpu},
           {"intra", &row.intra},
           {"inter", &row.inter},
           {"recompute", &row.recompute},
           {"offload", &row.offload},
           {"attention", &row.attention},
           {"framework", &row.framework},
           {"optimizer", &row.optimizer},
           {"flops_convention", &row.flops_convention},
           {"assumed", &row.assumed},
           {"notes", &row.notes}})
    take(y, key, *to);
  take(y, "seq_len", row.seq_len);
  take(y, "global_batch", row.global_batch);
  take(y, "micro_batch", row.micro_batch);
  take(y, "grad_accum", row.grad_accum);
  take(y, "gpu_mem_gb", row.gpu_mem_gb);
  take(y, "gpus", row.gpus);
  take(y, "gpus_per_node", row.gpus_per_node);
  take(y, "nodes", row.nodes);
  if (const auto found = stated(y, "model")) row.model = read_model(*found);
  if (const auto found = stated(y, "parallelism")) row.parallelism = read_parallelism(*found);
  read_metrics(y.at("metrics"), row);
  return row;
}

}  // namespace

std::optional<double> PublishedRow::metric(std::string_view name) const {
  const auto it = metrics.find(name);
  return it == metrics.end() ? std::nullopt : std::optional(it->second);
}

std::vector<PublishedRow> published_file(const std::string& path) {
  const Yaml root = Yaml::file(path);
  root.allow({"source", "rows"});
  std::vector<PublishedRow> rows;
  for (const Yaml& item : root.at("rows").items()) {
    rows.push_back(read_row(item));
    rows.back().file = fs::path(path).stem().string();
  }
  return rows;
}

std::vector<PublishedRow> published_rows(const std::string& folder) {
  std::vector<PublishedRow> rows;
  std::set<std::string> ids;
  for (const fs::path& path : yaml_files(folder))
    for (PublishedRow& row : published_file(path.string())) {
      if (!ids.insert(row.id).second)
        throw InputError(row.place, "id",
                         fmt::format("expected an id of its own, got {} again", in_quotes(row.id)));
      rows.push_back(std::move(row));
    }
  return rows;
}

std::string published_folder() {
  return (data_dir() / "reports" / "published").string();
}

}  // namespace ithaca
