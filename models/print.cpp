// A program as text: the mesh, what it is given, one step a line, what it gives back.
#include "models/program.h"
#include "models/wire.h"

#include <fmt/format.h>

namespace ithaca {
namespace {

std::string value_text(const Program& p, ValueId v) {
  return fmt::format("%{} {} {}", v, p[v].name, to_string(p.type(v), p.mesh()));
}

std::string ids_text(const auto& ids) {
  std::string text;
  for (const ValueId v : ids) text += fmt::format(" %{}", v);
  return text;
}

/// Which keys a step of attention sees.
std::string attention_text(const Program& p, const auto& op) {
  const std::string mask = short_text(op.mask);
  if (op.keys.empty()) return fmt::format(" {}", mask);
  std::string back;
  for (const Hops& hops : op.keys)
    if (hops.back > 0)
      back += fmt::format("{} {} back on {}", back.empty() ? " block" : ",", hops.back,
                          p.mesh().name(hops.axis));
  return fmt::format(" {}{}", mask, back.empty() ? " own block" : back);
}

std::string parameters_text(const Program& p, const Op& op) {
  return std::visit(
      match{[](const Normalize& norm) { return fmt::format(" {}", name_of(norm.kind)); },
            [](const NormalizeGrad& norm) { return fmt::format(" {}", name_of(norm.kind)); },
            [](const Activate& act) { return fmt::format(" {}", name_of(act.kind)); },
            [](const ActivateGrad& act) { return fmt::format(" {}", name_of(act.kind)); },
            [](const Rope& rope) {
              return fmt::format(" theta={}{}", rope.theta, rope.inverse ? " inverse" : "");
            },
            [](const RotationTable& table) { return fmt::format(" theta={}", table.theta); },
            [&](const Attend& attend) { return attention_text(p, attend); },
            [&](const AttendGrad& attend) { return attention_text(p, attend); },
            [&](const Shift& shift) {
              return fmt::format(" {:+} on {}", shift.by, p.mesh().name(shift.axis));
            },
            [](const auto&) { return std::string(); }},
      op);
}

std::string step_text(const Program& p, const Step& step) {
  std::string text = fmt::format("{:<4} ", name_of(step.phase));
  for (const ValueId v : step.out) text += (v == step.out.front() ? "" : ", ") + value_text(p, v);
  text +=
      fmt::format(" = {}{}{}", name_of(step.op), ids_text(step.in), parameters_text(p, step.op));
  const Traffic traffic = traffic_of(p, step);
  if (traffic.wire != Wire::none)
    text += fmt::format("  # {} {}", name_of(traffic.wire), name_of(p.mesh(), traffic.axes));
  return text + "\n";
}

}  // namespace

std::string print(const Program& p) {
  std::string text = "mesh";
  for (const Mesh::Extent& extent : p.mesh().extents())
    text += fmt::format(" {}={}", extent.name, extent.ranks);
  text += "\n";
  for (const ValueId v : p.inputs())
    text += fmt::format("in   {}  # {}\n", value_text(p, v), name_of(p[v].role));
  for (const Step& step : p.steps()) text += step_text(p, step);
  return text + "out " + ids_text(p.outputs()) + "\n";
}

}  // namespace ithaca
