#include "cli/cluster_topology.h"
#include "cli/verb.h"
#include "models/error.h"
#include "models/units.h"
#include "models/yaml.h"
#include "reports/format.h"
#include "reports/json.h"
#include "reports/text_table.h"
#include "sim/cluster.h"
#include "sim/topology/import.h"

#include <filesystem>
#include <fmt/format.h>

namespace ithaca {
namespace {

Json link_json(const Link& link) {
  return {{"kind", link.kind},
          {"bandwidth_bytes_per_s", link.bandwidth_bytes_per_s},
          {"latency_s", link.latency_s}};
}

Json json_of(const Cluster& c) {
  Json json{{"name", c.name},
            {"gpu", c.gpu.name},
            {"gpus_per_node", c.gpus_per_node},
            {"fast_domain_gpus", c.fast_domain_gpus},
            {"capacity_bytes", c.gpu.memory_bytes},
            {"bf16_flops_per_s", c.gpu.bf16_flops_per_s},
            {"memory_bandwidth_bytes_per_s", c.gpu.memory_bandwidth_bytes_per_s},
            {"intra", link_json(c.intra)}};
  if (c.node) json["node"] = link_json(*c.node);
  json["inter"] = link_json(c.inter);
  json["nics_per_node"] = c.nics_per_node;
  json["host_memory_bytes"] = c.host_memory_bytes;
  if (c.fabric)
    json["fabric"] = {{"leaf_gpus", c.fabric->leaf_gpus},
                      {"oversubscription", c.fabric->oversubscription},
                      {"rails", c.fabric->rails}};
  if (c.sockets)
    json["sockets"] = {{"count", c.sockets->count},
                       {"bandwidth_bytes_per_s", c.sockets->bandwidth_bytes_per_s},
                       {"peer_cost", c.sockets->peer_cost}};
  if (c.price) json["usd_per_node_hour"] = c.price->usd_per_node_hour;
  json["source"] = c.source;
  return json;
}

std::string rate(double bytes_per_s) {
  return fmt::format("{:.4g} GB/s", bytes_per_s / 1e9);
}

std::string list_text(const std::vector<Cluster>& clusters) {
  using enum Align;
  TextTable table({{"cluster", left},
                   {"GPU", left},
                   {"a node", right},
                   {"fast", right},
                   {"memory", right},
                   {"bf16 TFLOP/s", right},
                   {"fast link", right},
                   {"network", right}});
  for (const Cluster& c : clusters)
    table.add({c.name, c.gpu.name, fmt::format("{}", c.gpus_per_node),
               fmt::format("{}", c.fast_domain_gpus), binary_bytes(c.gpu.memory_bytes),
               fmt::format("{:.4g}", c.gpu.bf16_flops_per_s / 1e12),
               rate(c.intra.bandwidth_bytes_per_s), rate(c.inter.bandwidth_bytes_per_s)});
  return table.text();
}

std::string link_text(const char* key, const Link& link) {
  return fmt::format("{:<20} {}, {} per GPU and direction, {:.3g} us\n", key, link.kind,
                     rate(link.bandwidth_bytes_per_s), link.latency_s * 1e6);
}

std::string show_text(const Cluster& c) {
  std::string text;
  const auto put = [&](const char* key, const std::string& value) {
    text += fmt::format("{:<20} {}\n", key, wrapped(value, 95, 21));
  };
  put("name", c.name);
  put("GPU", c.gpu.name);
  put("GPUs of a node", fmt::format("{}", c.gpus_per_node));
  put("GPUs of fast domain", fmt::format("{}", c.fast_domain_gpus));
  put("capacity",
      fmt::format("{} ({} bytes)", binary_bytes(c.gpu.memory_bytes), grouped(c.gpu.memory_bytes)));
  put("bf16 peak", fmt::format("{:.4g} TFLOP/s", c.gpu.bf16_flops_per_s / 1e12));
  if (c.gpu.matmul_flops_per_s)
    put("bf16 matmul", fmt::format("{:.4g} TFLOP/s measured", *c.gpu.matmul_flops_per_s / 1e12));
  put("memory bandwidth", rate(c.gpu.memory_bandwidth_bytes_per_s));
  text += link_text("fast domain", c.intra);
  if (c.node) text += link_text("node", *c.node);
  text += link_text("network", c.inter);
  text += topology_text(c);
  if (c.fabric)
    put("fabric", fmt::format("{} GPUs a pod, oversubscribed {:.3g} to 1, rails {}",
                              c.fabric->leaf_gpus, c.fabric->oversubscription, c.fabric->rails));
  if (c.sockets)
    put("sockets",
        fmt::format("{}, joined by {}", c.sockets->count, rate(c.sockets->bandwidth_bytes_per_s)));
  put("host memory", binary_bytes(c.host_memory_bytes));
  if (c.price) put("price", fmt::format("{} USD per node and hour", c.price->usd_per_node_hour));
  put("source", c.source);
  return text;
}

class ClustersVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    app_->require_subcommand(0, 1);
    app_->add_subcommand("list", "The presets");
    show_ = app_->add_subcommand("show", "All facts of one cluster");
    show_->add_option("NAME", name_, "preset or YAML file")->type_name("");
    check_ = app_->add_subcommand("check", "Whether a cluster file is right");
    check_->add_option("FILE", name_, "YAML file")->type_name("");
    define_import();
    for (CLI::App* const app : app_->get_subcommands({}))
      app->add_flag("--json", json_, "for scripts, schema ithaca/1");
    app_->add_flag("--json", json_, "for scripts, schema ithaca/1");
    app_->footer(
        "Example:\n  ithaca clusters\n  ithaca clusters show dgx-a100-80g\n"
        "  ithaca clusters check mine.yaml\n"
        "  ithaca clusters import nccl_topo.xml -o mine.yaml");
  }

  int run(Console& console) override {
    if (import_->parsed()) return import_file(console);
    if (show_->parsed() || check_->parsed()) return one(console);
    std::vector<Cluster> clusters;
    for (const std::string& name : cluster_names()) clusters.push_back(load_cluster(name));
    Json list = Json::array();
    for (const Cluster& c : clusters) list.push_back(json_of(c));
    console.result(json_ ? text_of({{"schema", "ithaca/1"}, {"clusters", list}})
                         : list_text(clusters));
    return Exit::ok;
  }

 private:
  void define_import() {
    import_ = app_->add_subcommand("import", "A cluster file from what NCCL or nvidia-smi say");
    import_
        ->add_option("FILE", name_, "NCCL topology or graph XML, or the text of nvidia-smi topo -m")
        ->type_name("");
    import_->add_option("--format", format_,
                        "nccl-topo, nccl-graph or nvidia-smi; else as FILE looks");
    import_->add_option("--name", cluster_name_, "of the cluster; else that of FILE");
    import_->add_option("--gpu", gpu_, "preset of the GPU, where FILE does not say it");
    import_->add_option("--nic", nic_, "speed of a NIC, such as 400Gb/s");
    import_->add_option("--host-memory", host_memory_, "of the machine, such as 2048GB");
    import_->add_option("-o,--output", output_, "file to write; else stdout");
  }

  ImportRequest request() const {
    if (name_.empty()) throw InputError("cluster", "expected a file to import, got nothing");
    ImportRequest request;
    request.file = name_;
    if (!format_.empty()) request.format = import_format(format_);
    if (!gpu_.empty()) request.gpu = gpu_;
    if (!nic_.empty())
      request.nic_bytes_per_s = quantity(nic_, Dimension::bytes_per_s, {}, "--nic");
    if (!host_memory_.empty())
      request.host_memory_bytes =
          static_cast<std::int64_t>(quantity(host_memory_, Dimension::bytes, {}, "--host-memory"));
    request.name =
        cluster_name_.empty() ? std::filesystem::path(name_).stem().string() : cluster_name_;
    request.content = read_file(name_);
    return request;
  }

  int import_file(Console& console) const {
    const Imported imported = import_cluster(request());
    const std::string text = cluster_text(imported);
    const Cluster read_back = parse_cluster(text, "the imported cluster");
    for (const std::string& sentence : imported.assumed) console.note(sentence);
    if (!json_ || !output_.empty()) {
      console.result(text, output_);
      if (!json_) return Exit::ok;
    }
    console.result(text_of({{"schema", "ithaca/1"},
                            {"cluster", json_of(read_back)},
                            {"assumed", imported.assumed},
                            {"topology", topology_json(read_back)}}));
    return Exit::ok;
  }

  int one(Console& console) const {
    if (name_.empty()) throw InputError("cluster", "expected a preset or a file, got nothing");
    const Cluster c = load_cluster(name_);
    Json json{{"schema", "ithaca/1"}};
    if (check_->parsed()) json["ok"] = true;
    json["cluster"] = json_of(c);
    if (show_->parsed()) json["topology"] = topology_json(c);
    console.result(json_              ? text_of(json)
                   : check_->parsed() ? fmt::format("{}: ok, {} x {} a node\n", c.name,
                                                    c.gpus_per_node, c.gpu.name)
                                      : show_text(c));
    return Exit::ok;
  }

  CLI::App *show_ = nullptr, *check_ = nullptr, *import_ = nullptr;
  std::string name_, format_, cluster_name_, gpu_, nic_, host_memory_, output_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_clusters(CLI::App& root) {
  auto verb = std::make_unique<ClustersVerb>(
      root.add_subcommand("clusters", "List, show, check and import clusters"));
  verb->define();
  return verb;
}

}  // namespace ithaca
