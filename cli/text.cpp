#include "cli/text.h"

#include "reports/format.h"
#include "reports/text_table.h"

#include <cmath>
#include <fmt/format.h>

namespace ithaca {

std::string seconds_text(double seconds) {
  const char* unit = "s";
  double value = seconds;
  if (seconds > 0 && seconds < 0.9995e-3) {
    value *= 1e6;
    unit = "us";
  } else if (seconds > 0 && seconds < 0.9995) {
    value *= 1e3;
    unit = "ms";
  }
  const double size = std::abs(value);
  const int decimals = size == 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, decimals, unit);
}

std::string shape_text(const LayerShape& n) {
  const std::string mask = n.mask == Mask() ? "" : ", mask " + short_text(n.mask);
  return fmt::format("L = {} tokens, b = {} (d = {}, i = {} {}, {} heads of {}, {} KV heads{})",
                     n.L, n.b, n.d, n.i, title_of(n.act), n.h(), n.e, n.k, mask);
}

std::string conditions_text(const Job& job) {
  std::string text;
  if (!is_reference(job.profile)) text += fmt::format(", as {} does", job.profile.name);
  if (job.adapter_rank > 0) text += fmt::format(", adapters of rank {}", job.adapter_rank);
  return job.forward_only ? text + ", forward only" : text;
}

std::string levers_text(const Levers& l) {
  std::string text;
  if (l.mlp_tiles != 1) text += ", tiled MLP";
  if (l.loss_tiles != 1) text += ", tiled loss";
  if (l.offload) text += ", checkpoints on the host";
  if (l.optimizer_offload) text += ", optimizer on the host";
  if (l.weights_offload) text += ", weights on the host";
  if (l.bucket_elements > 0)
    text += fmt::format(", messages of at most {} elements together", l.bucket_elements);
  if (l.comm_chunks > 1)
    text += fmt::format(", gathers and scatters in {} pieces behind products", l.comm_chunks);
  return text;
}

std::string step_text(const Program& p, const Step& step) {
  const Traffic traffic = traffic_of(p, step);
  const ValueId value = traffic.wire == Wire::none ? step.out[0] : step.in[0];
  return fmt::format("{} {}", traffic.wire == Wire::none ? name_of(step.op) : name_of(traffic.wire),
                     p[value].name);
}

std::string lane_text(const Program& p, Lane lane) {
  if (lane == 0) return "compute";
  return p.mesh().name(Axis{static_cast<std::uint8_t>(lane - 1)});
}

std::string collectives_text(const Count& count, const Mesh& mesh) {
  using enum Align;
  TextTable table({{"phase", left},
                   {"collective", left},
                   {"axes", left},
                   {"tensor", left},
                   {"calls", right},
                   {"elements", right},
                   {"sent by a rank", right}});
  for (const Event& e : count.events)
    table.add({name_of(e.phase), name_of(e.wire), name_of(mesh, e.axes), e.tensor,
               fmt::format("{}", e.calls), grouped(e.elements), decimal_bytes(e.sent_bytes)});
  return table.empty() ? "  none\n" : table.text(2);
}

bool rings_in_bf16(const Arrangement& at) {
  const std::optional<Ring>& ring = at.strategy.attention.ring;
  return ring && ring->gradient == DType::bf16 && at.mesh.ranks(ring->axes) > 1;
}

std::string bf16_ring_note() {
  return "gradients of keys and values walk the ring in bf16, which is known to lose precision "
         "(github.com/zhuzilin/ring-flash-attention issue 42); ring_homing sends them in f32";
}

}  // namespace ithaca
