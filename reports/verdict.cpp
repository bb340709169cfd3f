#include "reports/verdict.h"

#include "reports/format.h"

#include <array>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace ithaca {
namespace {

struct Finding {
  Verdict verdict;
  std::string reason;
};

constexpr const char* as_counted = "as counted";
constexpr const char* the_forward_alone = "the forward pass alone";

/// Equal but for the padding of an all-reduce or of a flat shard.
bool agree(double claimed, double counted) {
  return std::abs(claimed - counted) <= 1e-3 * std::abs(counted);
}

WireCalls with_gather_and_scatter_swapped(WireCalls calls) {
  std::swap(calls[Wire::all_gather], calls[Wire::reduce_scatter]);
  return calls;
}

Finding judge_activation_label(const LabelClaim& claim, const LayerFacts& facts) {
  using enum Verdict;
  const WireCalls both = facts.forward + facts.backward;
  const bool hops_only = both.all() > 0 && both.all() == both[Wire::send_recv];
  if (claim.calls == both || (claim.any_number && hops_only)) return {right, as_counted};
  if (claim.calls == facts.forward) return {forward_only, the_forward_alone};
  if (with_gather_and_scatter_swapped(claim.calls) == both)
    return {swapped_label, "AG and RS are exchanged"};
  WireCalls regathered = claim.calls;
  regathered[Wire::all_gather] += facts.repeated_gathers;
  if (facts.repeated_gathers > 0 && regathered == both)
    return {wrong, "leaves out what the backward gathers again"};
  return {wrong, "other collectives are counted"};
}

Finding judge_activation_volume(const VolumeClaim& claim, const Evidence& e) {
  using enum Verdict;
  const double F = static_cast<double>(e.ranks - 1) / e.ranks;
  const double undivided = static_cast<double>(claim.Ld * e.shape.b * e.shape.L * e.shape.d) * F;
  const double claimed = claim.over_ranks ? undivided / e.ranks : undivided;
  const auto both = static_cast<double>(e.facts.activation.all());
  const auto forward = static_cast<double>(e.facts.activation.forward);
  if (agree(claimed, both)) return {right, as_counted};
  if (agree(claimed, forward)) return {forward_only, the_forward_alone};
  if (e.facts.forward[Wire::all_to_all] > 0 && agree(claimed, forward * e.ranks))
    return {wrong, fmt::format("{}, and without its 1/N", the_forward_alone)};
  return {wrong, fmt::format("{:.3g} times as much is sent", both / claimed)};
}

bool scope_holds(std::string_view scope, const LayerFacts& facts) {
  if (scope.empty()) return true;
  return facts.mlp_weights && facts.attention_weights == (scope == "Full");
}

Finding judge_weight_label(const LabelClaim& claim, const LayerFacts& facts) {
  using enum Verdict;
  if (claim.calls == facts.each_weight && scope_holds(claim.scope, facts))
    return {right, as_counted};
  if (claim.calls[Wire::all_reduce] > 0 && facts.each_weight[Wire::all_reduce] == 0)
    return {wrong, "no all-reduce: weights are gathered for use, their gradients scattered"};
  return {wrong, "other collectives are counted"};
}

/// The forward is no excuse here: the column is about gradients.
Finding judge_weight_volume(const VolumeClaim& claim, const Evidence& e) {
  using enum Verdict;
  const double F = static_cast<double>(e.ranks - 1) / e.ranks;
  const std::int64_t claimed = claim.dd * e.shape.d * e.shape.d + claim.di * e.shape.d * e.shape.i;
  const std::int64_t parameters = e.facts.gathered_parameters;
  const auto counted = static_cast<double>(e.facts.weight.all());
  if (agree(static_cast<double>(claimed) * F, counted)) return {right, as_counted};
  if (parameters == 0) return {wrong, "no weight travels"};
  const double times = counted / (F * static_cast<double>(parameters));
  if (claimed == parameters)
    return {wrong,
            fmt::format("a number of parameters, not traffic: they travel {:.3g} times", times)};
  return {wrong,
          fmt::format("a number of parameters, not traffic, and {} where this layer has {}: they "
                      "travel {:.3g} times",
                      decimal_count(static_cast<double>(claimed)),
                      decimal_count(static_cast<double>(parameters)), times)};
}

Finding judge_memory(std::string_view entry, const Share& share) {
  using enum Verdict;
  const bool full = share.local_bytes == share.one_rank_bytes;
  const double copied =
      static_cast<double>(share.copied_bytes) / static_cast<double>(share.one_rank_bytes);
  if (full == (entry == "full") && (full || share.copied_bytes == 0)) return {right, as_counted};
  if (share.copied_bytes == 0) return {wrong, "all of it is split"};
  return {wrong, fmt::format("{:.2f} of it is whole on every rank, the rest is split", copied)};
}

std::string counted(PublishedColumn column, const Evidence& e) {
  using enum PublishedColumn;
  switch (column) {
    case activation_label:
      return label(e.facts.forward + e.facts.backward);
    case activation_volume:
      return text_beside(e.closed_form.activation, e.facts.activation.all());
    case weight_label:
      return label(e.facts.each_weight);
    case weight_volume:
      return text_beside(e.closed_form.weight, e.facts.weight.all());
    case activation_memory:
      return text_of(e.facts.saved);
    case weight_memory:
      break;
  }
  return text_of(e.facts.weights);
}

Finding find(const PublishedEntry& entry, const Evidence& e) {
  using enum PublishedColumn;
  switch (entry.column) {
    case activation_label:
      return judge_activation_label(read_label(entry.entry), e.facts);
    case activation_volume:
      return judge_activation_volume(read_volume(entry.entry), e);
    case weight_label:
      return judge_weight_label(read_label(entry.entry), e.facts);
    case weight_volume:
      return judge_weight_volume(read_volume(entry.entry), e);
    case activation_memory:
      return judge_memory(entry.entry, e.facts.saved);
    case weight_memory:
      break;
  }
  return judge_memory(entry.entry, e.facts.weights);
}

}  // namespace

const char* name_of(Verdict verdict) {
  constexpr std::array names{"right", "forward-only", "swapped label", "wrong"};
  return names[static_cast<std::size_t>(verdict)];
}

Judgement judged(const PublishedEntry& entry, const Evidence& evidence) {
  Finding finding = find(entry, evidence);
  if (!entry.remark.empty()) finding.reason += fmt::format("; {}", entry.remark);
  return {entry, finding.verdict, counted(entry.column, evidence), std::move(finding.reason)};
}

std::vector<Judgement> judgements(std::string_view strategy, const Evidence& evidence) {
  std::vector<Judgement> all;
  const std::string_view method = published_method(strategy);
  for (const PublishedEntry& entry : published_entries())
    if (entry.method == method) all.push_back(judged(entry, evidence));
  return all;
}

}  // namespace ithaca
