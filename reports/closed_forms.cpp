#include "reports/closed_forms.h"

#include "models/error.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <numeric>
#include <string>

namespace ithaca {
namespace {

/// Elements of the formula, as bf16 and as f32.
struct Elements {
  std::int64_t bf16 = 0, f32 = 0;
};

struct Sizes {
  Sizes(const LayerShape& shape, const Degrees& degrees)
      : n(shape), x(degrees), N(degrees.all), S(shape.b * shape.L) {}
  /// K and V after the all-to-all, all ranks together: heads are copied where ranks outnumber them.
  std::int64_t c_all() const { return std::lcm(n.k, std::int64_t{x.ulysses}) * n.e; }
  std::int64_t mlp() const { return (n.gates() + 1) * n.d * n.i; }
  std::int64_t all() const { return 2 * n.d * (n.a() + n.c()) + mlp(); }
  /// F elements.
  std::int64_t sent(std::int64_t elements) const { return elements * (N - 1) / N; }

  const LayerShape& n;
  const Degrees& x;
  std::int64_t N, S;
};

struct Row {
  std::string_view strategy, activation, weight;
  Elements (*sent_activation)(const Sizes&);
  Elements (*sent_weight)(const Sizes&);
};

constexpr std::string_view zero3_text = "3F(2da+2dc+mdi)";
Elements nothing(const Sizes&) {
  return {};
}
Elements zero3_weights(const Sizes& z) {
  return {z.sent(3 * z.all())};
}

/// The tokens exchanged for heads, and the ring around them.
Elements exchanged(const Sizes& z) {
  const std::int64_t U = z.x.ulysses, R = z.x.ring, S = z.S;
  return {(U - 1) * S * 4 * (z.n.a() + z.c_all()) / (U * z.N) + 6 * (R - 1) * S * z.c_all() / z.N};
}

// Derivations: the tables of strategies/ and the papers they cite; ring counts N-1 hops of blocks
// of S/N tokens.
constexpr std::array rows{
    Row{"tp", "8F Sd", "0", [](const Sizes& z) { return Elements{z.sent(8 * z.S * z.n.d)}; },
        nothing},
    Row{"tp_sp", "10F Sd", "0", [](const Sizes& z) { return Elements{z.sent(10 * z.S * z.n.d)}; },
        nothing},
    Row{"ulysses_zero3", "4F S(a+c')/N", zero3_text, [](const Sizes& z) { return exchanged(z); },
        zero3_weights},
    Row{"ring_zero3", "6F Sc", zero3_text,
        [](const Sizes& z) { return Elements{z.sent(6 * z.S * z.n.c())}; }, zero3_weights},
    Row{"ring_homing_zero3", "4F Sc + 2Sc in f32", zero3_text,
        [](const Sizes& z) {
          return Elements{z.sent(4 * z.S * z.n.c()), 2 * z.S * z.n.c()};
        },
        zero3_weights},
    Row{"double_ring_zero3", "6F Sc", zero3_text,
        [](const Sizes& z) { return Elements{z.sent(6 * z.S * z.n.c())}; }, zero3_weights},
    Row{"kv_gather_zero3", "6F Sc", zero3_text,
        [](const Sizes& z) { return Elements{z.sent(6 * z.S * z.n.c())}; }, zero3_weights},
    Row{"usp_zero3", "4(U-1)/U S(a+c')/N + 6(R-1)/N Sc'", zero3_text,
        [](const Sizes& z) { return exchanged(z); }, zero3_weights},
    Row{"odysseus_zero3", "5F Sd", "3F mdi",
        [](const Sizes& z) { return Elements{z.sent(5 * z.S * z.n.d)}; },
        [](const Sizes& z) { return Elements{z.sent(3 * z.mlp())}; }},
};

Formula evaluated(std::string_view text, const Elements& sent) {
  return {text, sent.bf16 + sent.f32, 2 * sent.bf16 + 4 * sent.f32};
}

}  // namespace

Degrees degrees_of(const Arrangement& at) {
  const AttentionTable& t = at.strategy.attention;
  const auto shards = [](const Layout& layout, Axis axis, auto... dims) {
    return std::ranges::any_of(
        layout, [&](const Placement& p) { return p.cut.axis == axis && ((p.dim == dims) || ...); });
  };
  Degrees degrees{at.mesh.ranks(), 1, t.ring ? at.mesh.ranks(t.ring->axes) : 1};
  for (std::size_t id = 0; id < at.mesh.extents().size(); ++id) {
    const Axis axis{static_cast<std::uint8_t>(id)};
    if (shards(t.in, axis, DimName::L) && shards(t.q, axis, DimName::k, DimName::g))
      degrees.ulysses *= at.mesh.ranks(axis);
  }
  return degrees;
}

ClosedForm closed_form(std::string_view strategy, const LayerShape& shape, const Degrees& degrees) {
  const Sizes z(shape, degrees);
  const auto* const row = std::ranges::find(rows, strategy, &Row::strategy);
  require(row != rows.end(), "no closed form of this strategy");
  return {evaluated(row->activation, row->sent_activation(z)),
          evaluated(row->weight, row->sent_weight(z))};
}

bool holds(const Formula& form, std::int64_t counted_elements) {
  return std::abs(counted_elements - form.elements) * 1000 <= std::abs(form.elements);
}

std::string text_beside(const Formula& form, std::int64_t counted_elements) {
  if (holds(form, counted_elements)) return std::string(form.text);
  return fmt::format("{} (x{:.2f})", form.text,
                     static_cast<double>(counted_elements) / static_cast<double>(form.elements));
}

std::string_view closed_form_letters() {
  return "F = (N-1)/N; S = b L tokens; d hidden; i intermediate; a = heads x head dim; c = KV "
         "heads "
         "x head dim; c' = lcm(KV heads, U) x head dim (U = N for ulysses_zero3): KV heads are "
         "copied where ranks outnumber them; m = 3 matrices of a gated MLP, else 2; N = U R";
}

}  // namespace ithaca
