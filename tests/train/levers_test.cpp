// Levers change nothing but cost: losses under every pair of levers beside one rank's without any.
#include "tests/train/training.h"

#include <gtest/gtest.h>

#include <array>
#include <fmt/format.h>
#include <map>
#include <set>

namespace ithaca {
namespace {

// ---- every pair of choices in few rows
// ------------------------------------------------------------

enum Lever : std::size_t {
  strategy,
  keep,
  recompute,
  mlp_tiles,
  loss_tiles,
  micro_batches,
  clip,
  master,
  tied,
  on_host,
  adapters,
  kind,
  buckets,
  chunks,
  levers
};
constexpr std::array<int, levers> choices{7, 5, 5, 2, 2, 2, 2, 2, 2, 3, 2, 2, 3, 2};
using Row = std::array<int, levers>;  ///< -1: not chosen
using Pair = std::array<int, 4>;      ///< lever, choice, lever, choice

std::vector<Pair> pairs_of(const Row& row, std::size_t lever) {
  std::vector<Pair> pairs;
  for (std::size_t other = 0; other < levers; ++other)
    if (other != lever && row[other] >= 0) {
      const auto a = std::min(lever, other), b = std::max(lever, other);
      pairs.push_back({static_cast<int>(a), row[a], static_cast<int>(b), row[b]});
    }
  return pairs;
}

std::set<Pair> all_pairs() {
  std::set<Pair> all;
  for (std::size_t a = 0; a < levers; ++a)
    for (std::size_t b = a + 1; b < levers; ++b)
      for (int i = 0; i < choices[a]; ++i)
        for (int j = 0; j < choices[b]; ++j)
          all.insert({static_cast<int>(a), i, static_cast<int>(b), j});
  return all;
}

/// The choice that covers most of what is missing; of equal ones, another for each row.
int best_choice(const Row& row, std::size_t lever, const std::set<Pair>& missing,
                std::size_t turn) {
  int best = 0;
  std::ptrdiff_t most = -1;
  for (int n = 0; n < choices[lever]; ++n) {
    const int choice = (n + static_cast<int>(turn)) % choices[lever];
    Row with = row;
    with[lever] = choice;
    const auto covers = std::ranges::count_if(pairs_of(with, lever),
                                              [&](const Pair& p) { return missing.contains(p); });
    if (covers > most) {
      most = covers;
      best = choice;
    }
  }
  return best;
}

/// A greedy covering array: each row begins with a missing pair and takes lever by lever what covers most.
std::vector<Row> covering_rows() {
  std::vector<Row> rows;
  for (std::set<Pair> missing = all_pairs(); !missing.empty();) {
    Row row;
    row.fill(-1);
    const Pair first = *missing.begin();
    row[static_cast<std::size_t>(first[0])] = first[1];
    row[static_cast<std::size_t>(first[2])] = first[3];
    for (std::size_t lever = 0; lever < levers; ++lever)
      if (row[lever] < 0) row[lever] = best_choice(row, lever, missing, rows.size() + lever);
    for (std::size_t lever = 0; lever < levers; ++lever)
      for (const Pair& p : pairs_of(row, lever)) missing.erase(p);
    rows.push_back(row);
  }
  return rows;
}

// ---- what the choices mean
// ------------------------------------------------------------------------

Case case_of(const Row& row) {
  const std::string word = std::array{"_ddp", "_zero1", "_zero2", "_zero3",
                                      "_gradop"}[static_cast<std::size_t>(row[keep])];
  switch (row[strategy]) {
    case 0:
      return {"data" + word + "(p) * tp(t)", "p=2,t=2"};
    case 1:
      return {"data" + word + "(p) * tp_sp(t)", "p=2,t=2"};
    case 2:
      return {"ulysses" + word, "u=4"};
    case 3:
      return {"ring_zigzag" + word, "r=2"};
    case 4:
      return {"usp" + word, "r=2,u=2"};
    case 5:
      return {"data" + word + "(p) * odysseus_zero3(t)", "p=2,t=2"};
    default:
      return {"data" + word, "p=2"};
  }
}

LayerShape shape_of(const Row& row) {
  LayerShape shape = tiny_shape(1);
  if (row[kind] == 0) return shape;
  shape.norm = Norm::layer;
  shape.act = Act::gelu;
  shape.qkv_bias = shape.o_bias = shape.mlp_bias = true;
  return shape;
}

/// Which every step exceeds; gradients of adapters, which begin as nothing, are small.
double clip_norm(const Row& row) {
  return row[adapters] == 0 ? 0.05 : 1e-4;
}

/// What one rank does as well: the recipe, clipping at a norm that every step exceeds, one table or two.
Training reference_of(const Row& row, DType dtype) {
  Training t;
  t.options.dtype = dtype;
  t.tied = row[tied] == 1;
  t.options.step.layer.adapter_rank = row[adapters] == 0 ? 0 : 2;
  t.options.update.recipe = find_recipe(row[master] == 0 ? "mixed" : "bf16");
  if (row[clip] == 1) t.options.update.clip_norm = clip_norm(row);
  return t;
}

Training training_of(const Row& row, DType dtype) {
  Training t = reference_of(row, dtype);
  const Case c = case_of(row);
  t.strategy = c.expression;
  t.mesh = c.mesh;
  StepOptions& step = t.options.step;
  step.layer.recompute =
      parse_recompute(std::array{"none", "selective", "full", "full",
                                 "full-but-attention"}[static_cast<std::size_t>(row[recompute])],
                      {}, "");
  step.offload = row[recompute] == 3;
  step.layer.mlp_tiles = row[mlp_tiles] == 0 ? 1 : 3;
  step.loss_tiles = row[loss_tiles] == 0 ? 1 : 3;
  t.options.micro_batches = row[micro_batches] == 0 ? 1 : 4;
  // States; states, gradients and matrices.
  t.options.update.on_host = row[on_host] > 0;
  step.layer.gradients_on_host = step.weights_on_host = row[on_host] == 2;
  step.bucket_elements = t.options.update.bucket_elements =
      std::array{0, 2'000, 1'000'000}[static_cast<std::size_t>(row[buckets])];
  step.layer.comm_chunks = row[chunks] == 0 ? 1 : 3;
  return t;
}

std::string text_of(const Row& row) {
  std::string text = case_of(row).expression;
  for (std::size_t lever = recompute; lever < levers; ++lever)
    text += ' ' + std::to_string(row[lever]);
  return text;
}

const std::vector<TrainedStep>& reference_curve(const Row& row, DType dtype, int steps) {
  static std::map<std::vector<int>, std::vector<TrainedStep>> known;
  auto& curve = known[{row[clip], row[master], row[tied], row[kind], row[adapters],
                       static_cast<int>(dtype), steps}];
  if (curve.empty()) curve = train(reference_of(row, dtype), 8, steps, shape_of(row));
  return curve;
}

/// The largest deviation of all rows; each is expected within `tolerance`.
void expect_one_ranks_losses(DType dtype, int steps, double tolerance) {
  double most = 0;
  for (const Row& row : covering_rows()) {
    SCOPED_TRACE(text_of(row));
    const auto curve = train(training_of(row, dtype), 8, steps, shape_of(row));
    const auto& expected = reference_curve(row, dtype, steps);
    const double off = apart(curve, expected);
    EXPECT_LE(off, tolerance);
    most = std::max(most, off);
    for (const TrainedStep& step : curve) {
      EXPECT_GT(step.sent_bytes, 0);
      EXPECT_EQ(step.to_host_bytes > 0, row[recompute] == 3 || row[on_host] > 0);
    }
    for (const TrainedStep& step : expected)
      EXPECT_TRUE(row[clip] == 0 || step.gradient_norm > clip_norm(row));
  }
  ::testing::Test::RecordProperty("runs", static_cast<int>(covering_rows().size()));
  ::testing::Test::RecordProperty("largest_deviation", fmt::format("{:.2g}", most));
}

TEST(Levers, ThatAreTriedCoverEveryPair) {
  const std::vector<Row> rows = covering_rows();
  std::set<Pair> covered;
  for (const Row& row : rows)
    for (std::size_t lever = 0; lever < levers; ++lever)
      for (const Pair& p : pairs_of(row, lever)) covered.insert(p);
  EXPECT_EQ(covered, all_pairs());
  EXPECT_LE(rows.size(), 42U);
}

TEST(Levers, InF64LeaveLossesAsOneRankHasThem) {
  expect_one_ranks_losses(DType::f64, 20, 1e-9);
}

TEST(Levers, InF32LeaveLossesAsOneRankHasThem) {
  expect_one_ranks_losses(DType::f32, 20, 1e-4);
}

}  // namespace
}  // namespace ithaca
