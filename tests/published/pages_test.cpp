// The generated pages: what they say is what the runs, the programs and the races say.
#include "reports/claims.h"
#include "reports/odysseus_page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace ithaca {
namespace {

const std::vector<OdysseusRun>& runs() {
  static const std::vector<OdysseusRun> all = [] {
    std::vector<PublishedRow> rows = published_file(published_folder() + "/odysseus.yaml");
    return odysseus_runs(rows, time_accuracy(rows));
  }();
  return all;
}

const OdysseusRun& run(std::string_view id) {
  return *std::ranges::find_if(runs(), [&](const OdysseusRun& r) { return r.row.id == id; });
}

TEST(OdysseusPage, PricesEachRunAsValidateDoes) {
  EXPECT_GE(runs().size(), 25U);
  for (const OdysseusRun& r : runs())
    EXPECT_NEAR(r.priced.time.step_s, r.predicted_s(), 1e-9 * r.predicted_s()) << r.row.id;
}

TEST(OdysseusPage, ComparesLengthsByTheirMeasuredTimes) {
  const std::vector<OdysseusLength> lengths = odysseus_lengths(runs());
  EXPECT_GE(lengths.size(), 7U);
  for (const OdysseusLength& l : lengths) {
    ASSERT_GE(l.runs.size(), 2U);
    for (const OdysseusRun& r : l.runs) {
      EXPECT_GE(r.measured_s(), l.runs[0].measured_s());
      EXPECT_GE(r.predicted_s(), l.predicted_best().predicted_s());
      EXPECT_EQ(r.row.seq_len, l.runs[0].row.seq_len);
      EXPECT_EQ(std::ranges::count(l.runs, r.method, &OdysseusRun::method), 1) << r.method;
    }
    EXPECT_NEAR(l.lead, l.runs[1].measured_s() / l.runs[0].measured_s() - 1, 1e-12);
  }
}

/// The target is every length whose two fastest differ by more than 5 %.
TEST(OdysseusPage, NamesTheFastestWhereTheSecondIsFarBehind) {
  for (const OdysseusLength& l : odysseus_lengths(runs()))
    if (l.decided()) {
      EXPECT_TRUE(l.right()) << l.runs[0].row.id;
    }
}

/// Llama-2-7B, 16K on 8 GPUs: 4d^2+3di parameters and 8 Ld/N elements in the table, three times 7/8 of these weights in
/// the textbook's program.
TEST(OdysseusPage, TakesVolumesFromTheTableAndFromThePrograms) {
  const OdysseusRun& u = run("ody-odysseus_perf-Llama-2-7B-ulysses-16K-8gpu");
  const std::int64_t L = 16384, d = 4096, i = 11008;
  const auto published = published_bytes(u);
  ASSERT_TRUE(published);
  EXPECT_EQ(published->activation, 2 * 8 * L * d / 8);
  EXPECT_EQ(published->weight, 2 * (4 * d * d + 3 * d * i));
  const auto textbook = textbook_bytes(u);
  ASSERT_TRUE(textbook);
  EXPECT_EQ(textbook->weight, published->weight * 3 * 7 / 8);
  EXPECT_LT(u.sent_bytes().weight, textbook->weight);  // FSDP's one unit gathers once
}

TEST(OdysseusPage, CountsPairsAFigureOrders) {
  OdysseusLength length;
  for (const double s : {1.0, 1.04, 2.0}) {
    OdysseusRun r = runs().front();
    r.time.measured_s = s;
    length.runs.push_back(r);
  }
  const auto by = [&](double sign) {
    return ordered_pairs({length}, [&](const OdysseusRun& r) -> std::optional<double> {
      return sign * r.measured_s();
    });
  };
  EXPECT_EQ(by(1).pairs, 2U);  // the first two are too close
  EXPECT_EQ(by(1).right, 2U);
  EXPECT_EQ(by(-1).right, 0U);
}

TEST(OdysseusPage, SaysInItsHeadlineWhatItsRunsSay) {
  const auto lengths = odysseus_lengths(runs());
  const OrderedPairs o = ordered_pairs(
      lengths, [](const OdysseusRun& r) -> std::optional<double> { return r.predicted_s(); });
  const Document page = odysseus_document(runs());
  EXPECT_NE(page.headline.find(fmt::format("{} of {} are in order", o.right, o.pairs)),
            std::string::npos)
      << page.headline;
  std::size_t rows = 0;
  for (const OdysseusLength& l : lengths) rows += l.runs.size();
  EXPECT_EQ(page.sections[0].tables[0].rows.size(), lengths.size());
  EXPECT_EQ(page.sections[1].tables[0].rows.size(), rows);
}

RaceLength length_of(std::int64_t tokens, double ulysses, double megatron) {
  RaceLength at;
  at.tokens = tokens;
  at.published = true;
  if (ulysses > 0) at.ulysses = Racer{"u", {}, ulysses};
  if (megatron > 0) at.megatron = Racer{"t", {}, megatron};
  return at;
}

Holds of(const std::vector<Claim>& claims, std::string_view said) {
  return std::ranges::find_if(
             claims, [&](const Claim& c) { return c.said.find(said) != std::string::npos; })
      ->holds;
}

TEST(Claims, OfRacesFollowTheirFigures) {
  Race race{race_models()[0], false, {length_of(8192, 500, 100), length_of(16384, 500, 100)}};
  for (RaceLength& at : race.lengths) at.megatron_plain = true;
  EXPECT_EQ(of(race_claims({race}), "throughput"), Holds::yes);
  EXPECT_EQ(of(race_claims({race}), "length"), Holds::no);
  race.lengths[1].megatron_plain = false;
  race.lengths.push_back(length_of(32768, 110, 100));
  EXPECT_EQ(of(race_claims({race}), "throughput"), Holds::under_conditions);
  EXPECT_EQ(of(race_claims({race}), "length"), Holds::under_conditions);  // 8K without recompute
  for (const std::int64_t tokens : {65536, 131072})
    race.lengths.push_back(length_of(tokens, 110, 0));
  EXPECT_EQ(of(race_claims({race}), "length"), Holds::yes);
  EXPECT_EQ(of(race_claims({race}), "175"), Holds::no);
  race.lengths[0].ulysses->tokens_per_s_per_gpu = 176e12 / race.flops_per_token(8192);
  EXPECT_EQ(of(race_claims({race}), "175"), Holds::yes);
}

/// 7B: (6 x 6.65e9 + 12 x 32 x 131072 x 4096) 4/3 a token, which the paper's own rows print within 1 %.
TEST(Claims, CountTheFlopsThatThePapersRowsPrint) {
  const Race race{race_models()[0], false, {}};
  for (const PublishedRow& row :
       published_file(published_folder() + "/deepspeed_ulysses_paper.yaml")) {
    const double tokens = static_cast<double>(row.global_batch * row.seq_len);
    const double tflops =
        race.flops_per_token(row.seq_len) * tokens / (*row.metric("iter_time_s") * row.gpus) / 1e12;
    EXPECT_NEAR(tflops / *row.metric("tflops_per_gpu"), 1, 0.01) << row.id;
  }
}

/// 10 F Ld against 8 F Ld / N: ten times from 8 GPUs on.  Ulysses' 8 F L d / N grows with (N-1)/N only.
TEST(Claims, OfVolumesAreThoseOfTheClosedForms) {
  const std::vector<Claim> claims = volume_claims();
  ASSERT_EQ(claims.size(), 2U);
  EXPECT_EQ(claims[0].holds, Holds::under_conditions);
  EXPECT_NE(claims[0].verdict.find("from 8 GPUs"), std::string::npos) << claims[0].verdict;
  EXPECT_EQ(claims[1].holds, Holds::under_conditions);  // not of grouped queries
  EXPECT_NE(claims[1].verdict.find("1.00 x for Ulysses, 16.0 x for TP-SP"), std::string::npos)
      << claims[1].verdict;
  EXPECT_NE(claims[1].verdict.find("; with 8 heads of keys"), std::string::npos)
      << claims[1].verdict;
}

TEST(Claims, OfOdysseusNameEachLengthOnOneSide) {
  const auto lengths = odysseus_lengths(runs());
  const std::vector<Claim> claims = odysseus_claims(lengths);
  ASSERT_EQ(claims.size(), 2U);
  for (const Claim& c : claims) EXPECT_NE(c.verdict.find("16,384"), std::string::npos) << c.verdict;
}

/// A race has the figure's lengths, and what is predicted to fit is no shorter than what ran.
TEST(Claims, RacesReachTheLengthsOfTheFigure) {
  const std::vector<PublishedRow> rows =
      published_file(published_folder() + "/deepspeed_ulysses_blog.yaml");
  const Race seven = race(race_models()[0], false, rows);
  EXPECT_EQ(std::ranges::count(seven.lengths, true, &RaceLength::published), 6);
  for (const RaceLength& at : seven.lengths) {
    if (at.published_ulysses_tflops) {
      EXPECT_TRUE(at.ulysses) << at.tokens;
    }
    if (at.megatron_plain) {
      EXPECT_TRUE(at.megatron) << at.tokens;  // recompute takes less memory
    }
  }
}

}  // namespace
}  // namespace ithaca
