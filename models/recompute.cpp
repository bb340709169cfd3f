#include "models/recompute.h"

#include "models/nearest.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace ithaca {
namespace {

bool only_norms_read(const Program& p, ValueId v) {
  return std::ranges::all_of(p.steps(), [&](const Step& s) {
    return std::holds_alternative<Normalize>(s.op) || std::ranges::count(s.in, v) == 0;
  });
}

constexpr std::array classes{std::pair{"norm", &Recompute::norm}, std::pair{"act", &Recompute::act},
                             std::pair{"up", &Recompute::up}};

}  // namespace

bool Recompute::selects(const Program& p, const Step& step) const {
  if (std::holds_alternative<Normalize>(step.op)) return norm;
  if (std::holds_alternative<Cast>(step.op)) return norm && only_norms_read(p, step.out[0]);
  if (std::holds_alternative<Activate>(step.op)) return act;
  return up && p[step.out[0]].name == "up";
}

std::string text_of(const Recompute& recompute) {
  if (recompute.full) return recompute.keep_attention ? "full-but-attention" : "full";
  std::string text;
  for (const auto& [name, member] : classes)
    if (recompute.*member) text += fmt::format("{}{}", text.empty() ? "" : "+", name);
  return text.empty() ? "none" : text;
}

Recompute parse_recompute(std::string_view text, const Place& place, std::string_view key) {
  if (text == "none") return {};
  if (text == "full") return {true};
  if (text == "full-but-attention") {
    Recompute recompute = true;
    recompute.keep_attention = true;
    return recompute;
  }
  Recompute recompute;
  if (text == "selective") {
    recompute.norm = recompute.act = true;
    return recompute;
  }
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('+', at), text.size());
    bool known = false;
    for (const auto& [name, member] : classes)
      if (text.substr(at, end - at) == name) known = recompute.*member = true;
    if (!known)
      throw InputError(
          place, key,
          fmt::format("expected none, full, full-but-attention, selective or classes such as "
                      "norm+act+up, got {}{}",
                      in_quotes(text),
                      did_you_mean(text, {"none", "full", "full-but-attention", "selective"})));
    at = end + 1;
  }
  return recompute;
}

}  // namespace ithaca
