#include "cli/verb.h"
#include "models/error.h"
#include "models/model_spec.h"
#include "reports/format.h"
#include "reports/json.h"
#include "reports/text_table.h"

#include <fmt/format.h>

namespace ithaca {
namespace {

/// What the layers are, as far as pricing cares.
std::string kind_of(const ModelSpec& m) {
  std::string kind = m.experts.count > 0 ? "MoE" : "dense";
  if (m.latent.kv_rank > 0) kind += " MLA";
  return kind;
}

bool can_be_priced(const ModelSpec& m) {
  return m.experts.count == 0 && m.latent.kv_rank == 0;
}

Json json_of(const ModelSpec& m) {
  return {{"name", m.name},
          {"hf_id", m.hf_id},
          {"model_type", m.model_type},
          {"kind", kind_of(m)},
          {"parameters", parameters(m)},
          {"active_parameters", active_parameters(m)},
          {"layers", m.layers},
          {"d", m.layer.d},
          {"i", m.layer.i},
          {"heads", m.layer.h()},
          {"kv_heads", m.layer.k},
          {"head_dim", m.layer.e},
          {"vocabulary", m.vocabulary},
          {"max_position_embeddings", m.max_position_embeddings},
          {"tied_embeddings", m.tied_embeddings},
          {"priced", can_be_priced(m)},
          {"notes", pricing_notes(m)},
          {"source", m.source}};
}

std::string list_text(const std::vector<ModelSpec>& models) {
  using enum Align;
  TextTable table({{"model", left},
                   {"parameters", right},
                   {"", right},
                   {"layers", right},
                   {"d", right},
                   {"i", right},
                   {"heads", right},
                   {"kv", right},
                   {"head dim", right},
                   {"kind", left}});
  const auto number = [](std::int64_t n) { return fmt::format("{}", n); };
  for (const ModelSpec& m : models)
    table.add({m.name, grouped(parameters(m)), decimal_count(static_cast<double>(parameters(m))),
               number(m.layers), number(m.layer.d), number(m.layer.i), number(m.layer.h()),
               number(m.layer.k), number(m.layer.e),
               kind_of(m) + (can_be_priced(m) ? "" : ", not priced yet")});
  return table.text();
}

std::string show_text(const ModelSpec& m) {
  std::string text;
  const Json json = json_of(m);
  for (const auto& [key, value] : json.items()) {
    if (key == "notes") continue;
    const std::string shown = value.is_string()           ? value.get<std::string>()
                              : value.is_number_integer() ? grouped(value.get<std::int64_t>())
                                                          : value.dump();
    if (!shown.empty()) text += fmt::format("{:<24} {}\n", key, wrapped(shown, 90, 25));
  }
  for (const std::string& note : pricing_notes(m)) text += fmt::format("{:<24} {}\n", "note", note);
  return text;
}

class ModelsVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    app_->require_subcommand(0, 1);
    app_->add_subcommand("list", "The presets");
    show_ = app_->add_subcommand("show", "All facts of one model");
    show_->add_option("NAME", name_, "preset, YAML file or config.json")->type_name("");
    check_ = app_->add_subcommand("check", "Whether a model file is right");
    check_->add_option("FILE", name_, "YAML file or config.json")->type_name("");
    for (CLI::App* const app : app_->get_subcommands({}))
      app->add_flag("--json", json_, "for scripts, schema ithaca/1");
    app_->add_flag("--json", json_, "for scripts, schema ithaca/1");
    app_->footer(
        "Example:\n  ithaca models\n  ithaca models show llama-3.1-8b\n"
        "  ithaca models check config.json");
  }

  int run(Console& console) override {
    if (show_->parsed()) return show(console);
    if (check_->parsed()) return check(console);
    std::vector<ModelSpec> models;
    for (const std::string& name : model_names()) models.push_back(load_model(name));
    Json list = Json::array();
    for (const ModelSpec& m : models) list.push_back(json_of(m));
    console.result(json_ ? text_of({{"schema", "ithaca/1"}, {"models", list}}) : list_text(models));
    return Exit::ok;
  }

 private:
  ModelSpec load() const {
    if (name_.empty()) throw InputError("model", "expected a preset or a file, got nothing");
    return load_model(name_);
  }

  int show(Console& console) const {
    const ModelSpec m = load();
    console.result(json_ ? text_of({{"schema", "ithaca/1"}, {"model", json_of(m)}}) : show_text(m));
    return Exit::ok;
  }

  int check(Console& console) const {
    const ModelSpec m = load();
    for (const std::string& note : pricing_notes(m)) console.note(note);
    if (!can_be_priced(m))
      console.note(fmt::format("{} layers are counted, not priced yet", kind_of(m)));
    console.result(json_ ? text_of({{"schema", "ithaca/1"}, {"ok", true}, {"model", json_of(m)}})
                         : fmt::format("{}: ok, {} parameters\n", m.name, grouped(parameters(m))));
    return Exit::ok;
  }

  CLI::App *show_ = nullptr, *check_ = nullptr;
  std::string name_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_models(CLI::App& root) {
  auto verb =
      std::make_unique<ModelsVerb>(root.add_subcommand("models", "List, show and check models"));
  verb->define();
  return verb;
}

}  // namespace ithaca
