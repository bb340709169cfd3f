#include "cli/run_json.h"
#include "cli/text.h"
#include "models/error.h"
#include "reports/format.h"
#include "reports/text_table.h"

#include <fmt/format.h>

namespace ithaca {
namespace {

/// Calls and bytes of all layers, predicted beside measured.
std::string sent_text(const Json& run) {
  using enum Align;
  TextTable table({{"phase", left},
                   {"collective", left},
                   {"axes", left},
                   {"tensor", left},
                   {"calls", right},
                   {"predicted", right},
                   {"measured", right},
                   {"", left}});
  const auto mark = [](std::int64_t a, std::int64_t b) { return a == b ? "=" : "differs"; };
  for (const Json& c : run["collectives"]) {
    std::string axes;
    for (const Json& axis : c["axes"])
      axes += fmt::format("{}{}", axes.empty() ? "" : ".", axis.get<std::string>());
    const std::int64_t predicted = c["predicted_bytes"], measured = c["measured_bytes"];
    table.add({c["phase"], c["kind"], axes, c["tensor"], fmt::format("{}", c["calls"].get<int>()),
               grouped(predicted), grouped(measured), mark(predicted, measured)});
  }
  for (const auto& [key, name] : {std::pair{"sent_bytes", "bytes sent by a rank, layer"},
                                  {"update_sent_bytes", "bytes sent by a rank, update"},
                                  {"live_bytes", "bytes held at the peak, layer"},
                                  {"update_live_bytes", "bytes held at the peak, update"}}) {
    const std::int64_t predicted = run[key]["predicted"], measured = run[key]["measured"];
    if (predicted != 0 || measured != 0)
      table.add(
          {"", "", "", name, "", grouped(predicted), grouped(measured), mark(predicted, measured)});
  }
  return table.text(2);
}

std::string errors_text(const TwinRun& run, const Json& json) {
  using enum Align;
  TextTable table({{"tensor", left}, {"largest relative error", right}, {"", left}});
  for (const auto& [name, error] : json["max_relative_error"].items())
    table.add({name, fmt::format("{:.2e}", error.get<double>()),
               error.get<double>() <= run.tolerance() ? "" : "too large"});
  return table.text(2);
}

std::string predicted_text(const Json& time) {
  const double predicted_s = time["predicted_layer_s"], measured_s = time["layer_s"];
  return fmt::format("  predicted {} a layer on {}, measured {}{} ({:+.1f} %)\n",
                     seconds_text(predicted_s), time["calibrated"].get<std::string>(),
                     seconds_text(measured_s), time["layers_s"].size() > 2 ? " (median)" : "",
                     100 * (predicted_s / measured_s - 1));
}

}  // namespace

std::string run_text(const TwinRun& run) {
  const Json json = run_json(run);
  std::string text =
      fmt::format("{} on {} thread ranks: {}, mesh {}, recompute {}, {}\n{}{}, {} layer{}\n\n",
                  run.plan.job.model, run.arrangement.mesh.ranks(), run.arrangement.name,
                  to_string(run.arrangement.mesh), text_of(run.plan.recompute), name_of(run.dtype),
                  run.scale > 1 ? fmt::format("scaled by 1/{}: ", run.scale) : "",
                  shape_text(run.shape), run.layers.size(), run.layers.size() == 1 ? "" : "s");
  text += sent_text(json) + '\n' + errors_text(run, json);
  const Json& time = json["time"];
  text += fmt::format("\n  {} on {} ranks, {} on one rank (layer, forward and backward)\n",
                      seconds_text(time["wall_s"]), run.arrangement.mesh.ranks(),
                      seconds_text(time["one_rank_s"]));
  if (run.cluster) text += predicted_text(time);
  if (run.verified())
    text +=
        fmt::format("  verified: every byte as predicted, largest error {:.1e} (at most {:.0e})\n",
                    run.max_relative_error(), run.tolerance());
  return text;
}

std::string why_unverified(const TwinRun& run) {
  if (!run.bytes_match()) return "run: not verified: bytes differ from the prediction";
  if (run.max_relative_error() > run.tolerance())
    return fmt::format("run: not verified: expected errors of at most {:.0e}, got {:.2e}",
                       run.tolerance(), run.max_relative_error());
  return fmt::format("run: not verified: expected equal copies, got a difference of {:.2e}",
                     run.max_replica_difference());
}

}  // namespace ithaca
