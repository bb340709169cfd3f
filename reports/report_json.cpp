#include "reports/format.h"
#include "reports/json.h"
#include "reports/report_files.h"

namespace ithaca {
namespace {

Json json_of(const Ranked& r) {
  return {{"strategy", r.choice.expression()},
          {"mesh", mesh_json(r.choice.mesh)},
          {"recompute", text_of(Recompute(r.choice.recompute))},
          {"step_s", r.step_s},
          {"compute_s", r.compute_s},
          {"exposed_comm_s", r.exposed_comm_s},
          {"peak_bytes", r.peak_bytes},
          {"sent_bytes", r.sent_bytes}};
}

Json json_of(const NamedSpan& s) {
  return {{"rank", s.rank},   {"name", s.name},       {"lane", s.lane},
          {"phase", s.phase}, {"begin_s", s.begin_s}, {"end_s", s.end_s}};
}

Json json_of(const BestCell& c) {
  Json json{{"gpus", c.gpus}, {"seq", c.seq}, {"state", name_of(c.state)}};
  if (c.state != CellState::fits) {
    json["reason"] = c.reason;
    return json;
  }
  json.update(json_of(c.best));
  json["family"] = family_of(c.best.choice);
  json["terms"] = terms_of(c.best.choice);
  return json;
}

Json json_of(const MemoryBar& b, const Plan& plan) {
  Json json{{"rank_in_plan", b.rank_in_plan},     {"strategy", b.strategy},
            {"mesh", mesh_json(b.mesh)},          {"recompute", text_of(Recompute(b.recompute))},
            {"by_role", by_role_json(b.by_role)}, {"peak_bytes", b.peak_bytes()}};
  json["overheads"] = {{"context", b.overheads.context_bytes},
                       {"communicator", b.overheads.communicator_bytes},
                       {"all_to_all", b.overheads.all_to_all_bytes},
                       {"gathered", b.overheads.gathered_bytes},
                       {"bucket", b.overheads.bucket_bytes}};
  if (b.rank_in_plan > 0)
    json["terms"] = terms_of(plan.ranking[static_cast<std::size_t>(b.rank_in_plan - 1)].choice);
  return json;
}

Json plan_json(const PlanData& d) {
  const Job& job = d.file.job;
  return {{"model", job.model},
          {"cluster", d.file.cluster},
          {"gpu", job.cluster.gpu.name},
          {"gpus", job.gpus},
          {"seq", job.shape.L},
          {"batch", job.shape.b},
          {"layers", job.layers},
          {"strategy", d.file.strategy},
          {"mesh", mesh_json(d.file.mesh)},
          {"recompute", text_of(d.file.recompute)},
          {"schedule", job.overlap ? "overlapped" : "blocking"},
          {"step_s", d.priced.time.step_s},
          {"compute_s", d.priced.time.compute_s},
          {"exposed_comm_s", d.priced.time.exposed_comm_s},
          {"peak_bytes", d.priced.peak_bytes()},
          {"capacity_bytes", job.cluster.gpu.memory_bytes},
          {"sent_bytes", d.priced.count.sent_bytes().total()},
          {"rank_in_plan", d.rank},
          {"candidates", d.plan.candidates}};
}

Json json_of(const RunRecord& run) {
  Json json{{"path", run.path},   {"strategy", run.strategy}, {"mesh", mesh_json(run.mesh)},
            {"shape", run.shape}, {"dtype", run.dtype},       {"verified", run.verified}};
  json["tolerance"] = run.tolerance ? Json(*run.tolerance) : Json();
  json["collectives"] = Json::array();
  for (const RunCollective& c : run.collectives)
    json["collectives"].push_back({{"phase", c.phase},
                                   {"kind", c.kind},
                                   {"axes", c.axes},
                                   {"tensor", c.tensor},
                                   {"calls", c.calls},
                                   {"predicted_bytes", c.predicted_bytes},
                                   {"measured_bytes", c.measured_bytes}});
  json["max_relative_error"] = Json::object();
  for (const auto& [tensor, error] : run.max_relative_error)
    json["max_relative_error"][tensor] = error;
  json["live_bytes"] = {{"predicted", run.live_bytes.predicted},
                        {"measured", run.live_bytes.measured}};
  json["sent_bytes"] = {{"predicted", run.sent_bytes.predicted},
                        {"measured", run.sent_bytes.measured}};
  json["spans"] = Json::array();
  for (const NamedSpan& span : run.spans) json["spans"].push_back(json_of(span));
  return json;
}

void add_plan(Json& json, const PlanData& d) {
  json["plan"] = plan_json(d);
  for (const char* list : {"volume", "best", "memory", "ranking", "infeasible", "timeline"})
    json[list] = Json::array();
  for (const VolumePoint& p : d.volume)
    json["volume"].push_back({{"strategy", p.strategy},
                              {"seq", p.seq},
                              {"activation_bytes", p.sent_bytes.activation},
                              {"weight_bytes", p.sent_bytes.weight},
                              {"sent_bytes", p.sent_bytes.total()}});
  for (const BestCell& cell : d.best) json["best"].push_back(json_of(cell));
  for (const MemoryBar& bar : d.memory) json["memory"].push_back(json_of(bar, d.plan));
  for (const Ranked& ranked : d.plan.ranking) json["ranking"].push_back(json_of(ranked));
  for (const ReasonGroup& group : d.infeasible)
    json["infeasible"].push_back({{"reason", group.reason}, {"choices", group.choices}});
  for (const NamedSpan& span : d.timeline) json["timeline"].push_back(json_of(span));
}

}  // namespace

Json report_json(const ReportData& data) {
  Json json{{"schema", "ithaca/1"}, {"kind", "report"}};
  if (data.plan) add_plan(json, *data.plan);
  json["runs"] = Json::array();
  for (const RunRecord& run : data.runs) json["runs"].push_back(json_of(run));
  return json;
}

}  // namespace ithaca
