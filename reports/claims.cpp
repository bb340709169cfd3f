#include "reports/claims.h"

#include "reports/accuracy_text.h"
#include "reports/crossover.h"
#include "reports/format.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>

namespace ithaca {
namespace {

constexpr const char* ulysses_source = "arXiv 2309.14509 and the blog deepspeed-ulysses";
constexpr const char* race_configuration =
    "dense 7B on 32 and 30B on 64 A100 of 40 GB, 8K tokens and more; each side as it is fastest, "
    "both with full recompute";

/// "; " between what is there.
void append(std::string& text, const std::string& more) {
  text += (text.empty() ? "" : "; ") + more;
}

Claim claim(const char* said, const char* source, std::string configuration, bool all, bool some,
            std::string verdict) {
  return {said, source, std::move(configuration),
          all    ? Holds::yes
          : some ? Holds::under_conditions
                 : Holds::no,
          std::move(verdict)};
}

double tflops(const Race& race, const RaceLength& at) {
  return at.ulysses ? at.ulysses->tokens_per_s_per_gpu * race.flops_per_token(at.tokens) / 1e12 : 0;
}

/// The longest for which `runs` says yes.
std::int64_t longest(const Race& race, const std::function<bool(const RaceLength&)>& runs) {
  std::int64_t tokens = 0;
  for (const RaceLength& at : race.lengths)
    if (runs(at)) tokens = at.tokens;
  return tokens;
}

Claim throughput_claim(const std::vector<Race>& races) {
  std::string text;
  std::size_t reached = 0, asked = 0;
  for (const Race& race : races) {
    const RaceLength* best = nullptr;
    for (const RaceLength& at : race.lengths)
      if (at.ratio()) {
        ++asked;
        reached += *at.ratio() >= 2.5 ? 1 : 0;
        if (best == nullptr || *at.ratio() > *best->ratio()) best = &at;
      }
    if (best != nullptr)
      append(text, fmt::format("{}: at most {:.2f} x, at {} tokens{}", race.title(), *best->ratio(),
                               grouped(best->tokens),
                               best->published_ratio()
                                   ? fmt::format(" (published {:.2f} x)", *best->published_ratio())
                                   : ""));
  }
  append(text,
         fmt::format("2.5 x is predicted at {} of {} lengths where both fit", reached, asked));
  return claim("2.5 times the throughput of Megatron's sequence parallelism", ulysses_source,
               race_configuration, asked > 0 && reached == asked, reached > 0, text);
}

/// The masked half changes no memory, so the races of one mask are enough.
Claim length_claim(const std::vector<Race>& races) {
  std::string text;
  std::size_t asked = 0, held = 0, held_plain = 0;
  for (const Race& race : races) {
    if (race.causal) continue;
    const auto u = longest(race, [](const RaceLength&at) { return at.ulysses.has_value(); }),
               m = longest(race, [](const RaceLength&at) { return at.megatron.has_value(); }),
               plain = longest(race, &RaceLength::megatron_plain),
               published = longest(race, [](const RaceLength&at) {
                 return at.published_megatron_tflops.has_value();
               });
    ++asked;
    held += u > 0 && u >= 4 * m ? 1 : 0;
    held_plain += u > 0 && u >= 4 * plain ? 1 : 0;
    append(text, fmt::format("{}: {} tokens against {}, or {} when Megatron recomputes nothing "
                             "(published {})",
                             race.model.name, grouped(u), grouped(m), grouped(plain),
                             grouped(published)));
  }
  append(text, fmt::format("4 x at equal recompute for {} of {} models, against Megatron without "
                           "recompute for {}; lengths are doubled until none fits",
                           held, asked, held_plain));
  return claim("4 times the length of Megatron's sequence parallelism", ulysses_source,
               race_configuration, asked > 0 && held == asked, held + held_plain > 0, text);
}

Claim rate_claim(const std::vector<Race>& races) {
  std::string text;
  std::size_t held = 0;
  for (const Race& race : races) {
    double best = 0, published = 0;
    std::int64_t tokens = 0;
    for (const RaceLength& at : race.lengths) {
      if (!at.published) continue;
      published = std::max(published, at.published_ulysses_tflops.value_or(0));
      if (tflops(race, at) > best) tokens = at.tokens;
      best = std::max(best, tflops(race, at));
    }
    held += best > 175 ? 1 : 0;
    append(text, fmt::format("{}: {:.0f} at {} tokens (published at most {:.0f})", race.title(),
                             best, grouped(tokens), published));
  }
  return claim("more than 175 TFLOP/s a GPU", ulysses_source, race_configuration,
               held > 0 && held == races.size(), held > 0,
               text + "; FLOPs as the figures count them: full attention, and recompute");
}

}  // namespace

const char* name_of(Holds holds) {
  return holds == Holds::yes                ? "holds"
         : holds == Holds::under_conditions ? "holds under conditions"
                                            : "does not hold";
}

std::vector<Claim> race_claims(const std::vector<Race>& races) {
  return {throughput_claim(races), length_claim(races), rate_claim(races)};
}

namespace {

/// The least degree from which activations of TP-SP are ten times those of Ulysses; 0: none.
int tenfold_from(const LayerShape& shape, int most) {
  int least = 0;
  for (int N = most; N > 1; N /= 2)
    if (sent_line("tp_sp", shape, N).bytes_per_token >=
        10 * sent_line("ulysses_zero3", shape, N).bytes_per_token)
      least = N;
  return least;
}

Claim tenth_claim() {
  std::string text;
  bool all = true, some = false;
  for (const RaceModel& m : race_models()) {
    const LayerShape shape = layer_shape(m);
    const int most = static_cast<int>(std::min<std::int64_t>(m.gpus, m.heads));
    const int least = tenfold_from(shape, most);
    const SentLine u = sent_line("ulysses_zero3", shape, most), t = sent_line("tp_sp", shape, most);
    const double room = t.bytes_per_token - 10 * u.bytes_per_token;
    all = all && least == 2;
    some = some || least > 0;
    append(text,
           fmt::format("{}: activations alone, {}; with the weights of ZeRO-3, {}", m.name,
                       least > 0 ? fmt::format("from {} GPUs", least) : "never",
                       room > 0 ? fmt::format("on {} GPUs, from {} tokens", most,
                                              grouped(std::llround(10 * u.fixed_bytes / room)))
                                : "never"));
  }
  return claim("ten times less communication than Megatron's sequence parallelism", ulysses_source,
               "bytes a rank sends for one layer, both passes, counted; equal degrees, to the "
               "models' heads",
               all, some, text);
}

/// Bytes of a rank at 8K tokens a GPU, from 2 GPUs to the last degree: the last over the first, O() taken off.
double growth(const char* strategy, const LayerShape& shape, int last) {
  const auto bytes = [&](int N) {
    return sent_line(strategy, shape, N).bytes_per_token * 8192.0 * N * N / (N - 1);
  };
  return bytes(last) / bytes(2);
}

Claim constant_claim() {
  std::string text;
  bool all = true;
  for (const RaceModel& m : race_models()) {
    const LayerShape shape = layer_shape(m);
    const int last = static_cast<int>(std::min<std::int64_t>(m.gpus, m.heads));
    const double u = growth("ulysses_zero3", shape, last), t = growth("tp_sp", shape, last);
    all = all && std::abs(u - 1) < 0.01;
    append(text,
           fmt::format("{}, 2 to {} GPUs at 8,192 tokens each: {:.2f} x for Ulysses, {:.1f} x "
                       "for TP-SP, but for (N-1)/N",
                       m.name, last, u, t));
  }
  LayerShape grouped_queries = layer_shape(race_models().front());
  grouped_queries.g = 4;
  grouped_queries.k /= 4;
  const double beyond = growth("ulysses_zero3", grouped_queries, 32);
  append(text, fmt::format("with 8 heads of keys and values on 32 GPUs: {:.2f} x, as they are sent "
                           "more than once beyond 8",
                           beyond));
  return claim("constant volume when length and GPUs grow together", ulysses_source,
               "bytes of activations a rank sends for one layer, both passes, counted",
               all && std::abs(beyond - 1) < 0.01, all, text);
}

Claim against(const std::vector<OdysseusLength>& lengths, const char* said, const char* other) {
  std::string yes, no;
  std::size_t agreed = 0, all = 0;
  for (const OdysseusLength& l : lengths) {
    const auto find = [&](std::string_view method) {
      return std::ranges::find(l.runs, method, &OdysseusRun::method);
    };
    const auto o = find("Odysseus, MLP by ZeRO-3"), x = find(other);
    if (o == l.runs.end() || x == l.runs.end() || o->row.gpus == 1) continue;
    const double predicted = o->predicted_s() / x->predicted_s() - 1,
                 measured = o->measured_s() / x->measured_s() - 1;
    ++all;
    agreed += (predicted < 0) == (measured < 0) ? 1 : 0;
    append(predicted < 0 ? yes : no,
           fmt::format("{} tokens on {} GPUs {}, measured {}", grouped(l.runs[0].row.seq_len),
                       o->row.gpus, signed_percent(predicted), signed_percent(measured)));
  }
  const std::string text =
      fmt::format("Faster: {}.  Not: {}.  Measured on the same side at {} of {} lengths.",
                  yes.empty() ? "nowhere" : yes, no.empty() ? "nowhere" : no, agreed, all);
  return claim(said, "README of Odysseus-Transformer",
               "8 A100 of 80 GB and fewer, as the benchmark ran; predicted time of a step",
               all > 0 && no.empty(), !yes.empty(), text);
}

}  // namespace

std::vector<Claim> volume_claims() {
  return {tenth_claim(), constant_claim()};
}

std::vector<Claim> odysseus_claims(const std::vector<OdysseusLength>& lengths) {
  return {against(lengths, "Odysseus is faster than TP-SP when L > i", "TP-SP"),
          against(lengths, "Odysseus is faster than Ulysses when L > i", "Ulysses")};
}

}  // namespace ithaca
