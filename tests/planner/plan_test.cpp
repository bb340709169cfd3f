#include "planner/plan.h"

#include "models/error.h"
#include "planner/plan_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <set>

namespace ithaca {
namespace {

Job llama_job(int gpus, std::int64_t seq, std::int64_t batch = 1) {
  const ModelSpec model = load_model("llama-3.1-8b");
  return {model.name, layer_shape(model, batch, seq), model.layers, load_cluster("dgx-a100-80g"),
          gpus};
}

std::string temporary(const char* name) {
  return (std::filesystem::temp_directory_path() / name).string();
}

TEST(Plan, RanksByTimeUnderTheMemoryLimit) {
  const Job job = llama_job(8, 131072);
  const Plan p = plan(job);
  ASSERT_FALSE(p.ranking.empty());
  EXPECT_EQ(p.candidates, p.ranking.size() + p.infeasible.size());
  EXPECT_TRUE(std::ranges::is_sorted(p.ranking, {}, &Ranked::step_s));
  for (const Ranked& r : p.ranking) EXPECT_LE(r.peak_bytes, job.cluster.gpu.memory_bytes);
}

TEST(Plan, IsNeverWorseThanAnyPublishedStrategyThatFits) {
  const Job job = llama_job(8, 65536);
  const Plan p = plan(job);
  for (const std::string& name : published_strategies())
    for (const bool recompute : {false, true}) {
      const PricedStrategy one = price(job, name, default_mesh(name, 8, job.shape), recompute);
      if (one.peak_bytes() > job.cluster.gpu.memory_bytes) continue;
      EXPECT_LE(p.ranking.front().step_s, one.time.step_s * (1 + 1e-12)) << name;
    }
}

TEST(Plan, SaysWhyAChoiceDoesNotFit) {
  const Job job = llama_job(1, 131072);
  const Plan p = plan(job);
  EXPECT_TRUE(p.ranking.empty());
  ASSERT_EQ(p.infeasible.size(), 2U);
  EXPECT_TRUE(p.infeasible[0].reason.starts_with("needs ")) << p.infeasible[0].reason;
  for (const Infeasible& i : p.infeasible) EXPECT_GT(i.peak_bytes, job.cluster.gpu.memory_bytes);
}

TEST(Plan, FindsNothingWhereNoDegreeDivides) {
  const Plan p = plan(llama_job(7, 131072));
  EXPECT_TRUE(p.ranking.empty());
  EXPECT_EQ(p.infeasible.size(), p.candidates);
  for (const Infeasible& i : p.infeasible) EXPECT_FALSE(i.peak_bytes) << i.reason;
}

TEST(Plan, LessMemoryNeverAddsChoices) {
  Job job = llama_job(8, 131072);
  const std::size_t before = plan(job).ranking.size();
  job.cluster.gpu.memory_bytes /= 2;
  EXPECT_LT(plan(job).ranking.size(), before);
}

TEST(Plan, FasterLinksAreNeverSlower) {
  Job job = llama_job(8, 32768);
  const double before = plan(job).ranking.front().step_s;
  job.cluster.intra.bandwidth_bytes_per_s *= 2;
  EXPECT_LE(plan(job).ranking.front().step_s, before);
}

TEST(Space, SplitsSamplesOnlyWhereTheyDivide) {
  for (const Choice& c : choices(8, 1))
    for (const Mesh::Extent& e : c.mesh.extents()) EXPECT_NE(e.name, "p");
  EXPECT_TRUE(std::ranges::any_of(choices(8, 2), [](const Choice& c) {
    return std::ranges::any_of(c.mesh.extents(),
                               [](const Mesh::Extent& e) { return e.name == "p" && e.ranks == 2; });
  }));
}

TEST(Space, HoldsNoChoiceTwice) {
  for (const int gpus : {1, 6, 8, 16}) {
    std::set<std::string> seen;
    const std::vector<Choice> all = choices(gpus, 2);
    for (const Choice& c : all)
      seen.insert(fmt::format("{} {} {}", c.expression(), to_string(c.mesh), c.recompute));
    EXPECT_EQ(seen.size(), all.size()) << gpus;
  }
}

TEST(Space, HoldsEveryFamilyOnEightRanks) {
  const std::vector<Choice> all = choices(8, 1);
  for (const char* const wanted :
       {"tp(t)", "tp_sp(t)", "ulysses_zero3(u)", "ring_zero3(r)", "ring_zigzag_zero3(r)",
        "kv_gather_zero3(r)", "tp_sp(t) | local_zero3(t)"})
    EXPECT_TRUE(std::ranges::any_of(all, [&](const Choice& c) { return c.expression() == wanted; }))
        << wanted;
}

TEST(PlanFile, ComesBackAsItWasWritten) {
  PlanFile file{llama_job(8, 131072),
                "dgx-a100-80g",
                "ulysses_zero3(u)",
                Mesh({{"u", 8}}),
                true,
                13.25,
                1 << 30,
                77};
  const std::string path = temporary("ithaca-plan-test.yaml");
  write_file(path, to_yaml(file));
  const PlanFile back = load_plan(path);
  EXPECT_EQ(to_yaml(back), to_yaml(file));
  EXPECT_EQ(back.mesh, file.mesh);
  std::filesystem::remove(path);
}

TEST(PlanFile, KeepsTheMask) {
  PlanFile file{llama_job(8, 4096), "dgx-a100-80g", "tp(t)", Mesh({{"t", 8}}), false, 1, 1, 1};
  const std::string path = temporary("ithaca-plan-mask.yaml");
  for (const char* const mask : {"causal", "full", "window:100", "documents:4000,96",
                                 "documents:mean=100,spread=0.5,seed=3"}) {
    file.job.shape.mask = parse_mask(mask, 4096, {}, "mask");
    write_file(path, to_yaml(file));
    EXPECT_EQ(load_plan(path).job.shape.mask, file.job.shape.mask) << mask;
  }
  file.job.shape.mask = Mask::documents({4000});
  write_file(path, to_yaml(file));
  try {
    (void)load_plan(path);
    FAIL() << "accepted";
  } catch (const InputError& e) {
    EXPECT_EQ(std::string(e.what()),
              path +
                  ":22:9: layer.mask: expected documents of 4096 tokens together, got 4000, "
                  "change a length or use documents:mean=TOKENS");
  }
  std::filesystem::remove(path);
}

TEST(PlanFile, KeepsNamesWithQuotesAndBackslashes) {
  PlanFile file{llama_job(8, 131072), "dgx-a100-80g", "tp(t)", Mesh({{"t", 8}}), false, 1, 1, 1};
  file.job.model = "a\"b\\c: # {";
  const std::string path = temporary("ithaca-plan-quotes.yaml");
  write_file(path, to_yaml(file));
  EXPECT_EQ(load_plan(path).job.model, file.job.model);
  std::filesystem::remove(path);
}

TEST(PlanFile, RefusesAMeshOfAnotherSize) {
  PlanFile file{
      llama_job(8, 131072), "dgx-a100-80g", "ulysses_zero3(u)", Mesh({{"u", 4}}), true, 1, 1, 1};
  const std::string path = temporary("ithaca-plan-bad.yaml");
  write_file(path, to_yaml(file));
  try {
    (void)load_plan(path);
    FAIL() << "accepted";
  } catch (const InputError& e) {
    EXPECT_EQ(std::string(e.what()),
              path + ":26:7: mesh: expected axes that multiply to gpus = 8, got 4");
  }
  std::filesystem::remove(path);
}

TEST(PlanFile, IsNeverLeftHalfWritten) {
  EXPECT_THROW(write_file("/proc/nowhere/plan.yaml", "x"), EnvironmentError);
}

}  // namespace
}  // namespace ithaca
