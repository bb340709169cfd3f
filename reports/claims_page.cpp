#include "reports/accuracy_text.h"
#include "reports/claims.h"
#include "reports/format.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace ithaca {
namespace {

TextTable claims_table(const std::vector<Claim>& claims) {
  TextTable table({{"claim", Align::left},
                   {"source", Align::left},
                   {"configuration", Align::left},
                   {"verdict", Align::left},
                   {"found", Align::left}});
  for (const Claim& c : claims)
    table.add({c.said, c.source, c.configuration, name_of(c.holds), c.verdict});
  return table;
}

std::string racer_text(const std::optional<Racer>& racer, double flops_per_token) {
  if (!racer) return "does not fit";
  return fmt::format("{:.0f} ({})", racer->tokens_per_s_per_gpu * flops_per_token / 1e12,
                     to_string(racer->mesh));
}

Section race_section(const Race& race) {
  TextTable table({{"tokens", Align::right},
                   {"Ulysses, published", Align::right},
                   {"predicted", Align::left},
                   {"Megatron, published", Align::right},
                   {"predicted", Align::left},
                   {"ratio, published", Align::right},
                   {"predicted", Align::right}});
  const auto rate = [](const std::optional<double>& r, bool published) {
    return r ? fmt::format("{:.1f}", *r) : published ? "out of memory" : "";
  };
  const auto ratio = [](const std::optional<double>& r) {
    return r ? fmt::format("{:.2f}", *r) : "";
  };
  for (const RaceLength& at : race.lengths)
    table.add({grouped(at.tokens), rate(at.published_ulysses_tflops, at.published),
               racer_text(at.ulysses, race.flops_per_token(at.tokens)),
               rate(at.published_megatron_tflops, at.published),
               racer_text(at.megatron, race.flops_per_token(at.tokens)),
               ratio(at.published_ratio()), ratio(at.ratio())});
  return section(
      fmt::format("{} on {} A100 of 40 GB: TFLOP/s a GPU", race.title(), race.model.gpus), table,
      fmt::format("{} layers of {}, {} heads: {}.  FLOPs as the figures count them.",
                  race.model.layers, race.model.hidden, race.model.heads, race.model.shape_from));
}

}  // namespace

Document claims_document(const std::vector<Claim>& claims, const std::vector<Race>& races) {
  const auto held = [&](Holds holds) { return std::ranges::count(claims, holds, &Claim::holds); };
  Document page;
  page.title = "Headline claims, predicted";
  page.headline = fmt::format(
      "Of {} claims {} hold, {} hold under conditions and {} do not, as predicted under their "
      "published configuration.",
      claims.size(), held(Holds::yes), held(Holds::under_conditions), held(Holds::no));
  page.sections = {section("Claims", claims_table(claims),
                           "Written by `ithaca validate`; verdicts are computed.")};
  for (const Race& r : races) page.sections.push_back(race_section(r));
  return page;
}

Document claims_of(const std::vector<PublishedRow>& rows, const std::vector<OdysseusRun>& runs) {
  std::vector<Race> races;
  for (const RaceModel& model : race_models())
    for (const bool causal : {false, true}) races.push_back(race(model, causal, rows));
  std::vector<Claim> claims = race_claims(races);
  std::ranges::copy(volume_claims(), std::back_inserter(claims));
  std::ranges::copy(odysseus_claims(odysseus_lengths(runs)), std::back_inserter(claims));
  return claims_document(claims, races);
}

}  // namespace ithaca
