// The strategy table as the contract for scripts has it.
#include "reports/json.h"
#include "reports/render_table.h"

namespace ithaca {
namespace {

Json closed_form_json(const ClosedForm& form) {
  return {{"activation", form.activation.text},
          {"weight", form.weight.text},
          {"activation_elements", form.activation.elements},
          {"weight_elements", form.weight.elements},
          {"activation_bytes", form.activation.bytes},
          {"weight_bytes", form.weight.bytes}};
}

Json memory_json(const TableRow& row, std::int64_t layers) {
  return {{"layers", layers},
          {"peak_bytes", row.memory.peak_bytes},
          {"by_role", by_role_json(row.memory.by_role)},
          {"saved_bytes_per_layer", row.facts.saved.local_bytes},
          {"activation_class", text_of(row.facts.saved)},
          {"weight_class", text_of(row.facts.weights)}};
}

Json published_json(const std::vector<Judgement>& judgements) {
  Json all = Json::array();
  for (const Judgement& j : judgements)
    all.push_back({{"table", j.published.table},
                   {"method", j.published.method},
                   {"column", name_of(j.published.column)},
                   {"entry", j.published.entry},
                   {"verdict", name_of(j.verdict)},
                   {"counted", j.counted},
                   {"reason", j.reason}});
  return all;
}

Json row_json(const TableRow& row, std::int64_t layers) {
  Json json{{"strategy", row.strategy}, {"degree", row.degrees.all}};
  if (!row.error.empty()) {
    json.update({{"error", row.error},
                 {"collectives", Json::array()},
                 {"sent_bytes", nullptr},
                 {"closed_form", nullptr},
                 {"published", Json::array()}});
    return json;
  }
  json["ulysses"] = row.degrees.ulysses;
  json["ring"] = row.degrees.ring;
  json["labels"] = {{"forward", label(row.facts.forward)},
                    {"backward", label(row.facts.backward)},
                    {"both", label(row.facts.forward + row.facts.backward)},
                    {"each_weight", label(row.facts.each_weight)}};
  json["collectives"] = collectives_json(row.count, row.update, row.mesh);
  json["sent_bytes"] = sent_json(row.count.sent_bytes());
  json["sent_elements"] = {{"activation", row.facts.activation.all()},
                           {"weight", row.facts.weight.all()}};
  json["closed_form"] = closed_form_json(row.closed_form);
  json["flops"] = row.count.flops();
  json["memory"] = memory_json(row, layers);
  json["published"] = published_json(row.published);
  return json;
}

Json crossover_json(const Crossover& c) {
  Json json{{"strategies", {c.first, c.second}}};
  if (!c.error.empty()) {
    json["error"] = c.error;
    return json;
  }
  json["tokens"] = c.tokens ? Json(*c.tokens) : Json(nullptr);
  json["less_when_longer"] = c.less_when_longer;
  return json;
}

}  // namespace

Json table_json(const StrategyTable& table) {
  Json json{{"schema", "ithaca/1"},
            {"model", table.request.model},
            {"shape", shape_json(table.request.shape)},
            {"degree", table.request.degree},
            {"profile", std::string(table.request.profile.name)},
            {"letters", closed_form_letters()}};
  json["rows"] = Json::array();
  for (const TableRow& row : table.rows)
    json["rows"].push_back(row_json(row, table.request.layers));
  json["crossovers"] = Json::array();
  for (const Crossover& c : table.crossovers) json["crossovers"].push_back(crossover_json(c));
  return json;
}

}  // namespace ithaca
