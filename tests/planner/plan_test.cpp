#include "planner/plan.h"

#include "models/error.h"
#include "planner/longest.h"
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

TEST(Plan, RefusesWhatTheHostCannotHold) {
  Job job = llama_job(8, 131072);
  job.levers.optimizer_offload = true;
  const Plan roomy = plan(job);
  ASSERT_FALSE(roomy.ranking.empty());
  job.cluster.host_memory_bytes = 1'000'000'000;
  const Plan tight = plan(job);
  EXPECT_TRUE(tight.ranking.empty());
  std::size_t of_host = 0;
  for (const Infeasible& i : tight.infeasible) {
    if (!i.host_bytes) continue;
    ++of_host;
    EXPECT_FALSE(i.peak_bytes);
    EXPECT_GT(*i.host_bytes, job.cluster.host_memory_bytes);
    EXPECT_TRUE(i.reason.starts_with("needs ") &&
                i.reason.ends_with(" GiB of 0.9 GiB in the host memory of a node"))
        << i.reason;
  }
  EXPECT_EQ(of_host, roomy.ranking.size());
}

// ---- profiles
// --------------------------------------------------------------------------------------------

TEST(Profile, OfNormsThatIndexWith32BitsLimitsTheLength) {
  Job job = llama_job(8, 4096);
  job.profile = find_profile("hf-liger-0.5-deepspeed");
  job.cluster.gpu.memory_bytes = std::int64_t{1} << 50;
  const Mesh mesh({{"u", 8}});
  const Longest found = longest(job, "ulysses_zero3", mesh, true);
  // 2^31 - 1 elements of the 4096 of a token on each of 8 ranks
  EXPECT_EQ(found.tokens, (((std::int64_t{1} << 31) - 1) / 4096) * 8);
  EXPECT_EQ(found.limited_by, "length");
  EXPECT_NE(found.term.find("expected at most 2147483647 elements on a rank"), std::string::npos)
      << found.term;
  job.profile = find_profile("hf-liger-deepspeed");
  EXPECT_GT(longest(job, "ulysses_zero3", mesh, true, found.tokens * 2).tokens, found.tokens);
}

TEST(Profile, OfTheReferenceIsTheFirst) {
  EXPECT_TRUE(is_reference(Job{}.profile));
  for (const Profile& p : profiles()) EXPECT_EQ(is_reference(p), p.name == "reference") << p.name;
}

TEST(PlanFile, KeepsTheProfileAndRefusesAnUnknownOne) {
  PlanFile file{llama_job(8, 4096), "dgx-a100-80g", "tp(t)", Mesh({{"t", 8}}), false, 1, 1, 1};
  const std::string path = temporary("ithaca-plan-profile.yaml");
  EXPECT_EQ(to_yaml(file).find("profile"), std::string::npos);
  for (const Profile& p : profiles()) {
    file.job.profile = p;
    write_file(path, to_yaml(file));
    EXPECT_EQ(load_plan(path).job.profile.name, p.name);
  }
  std::string text = to_yaml(file);
  text.replace(text.find("hf-fsdp1"), 8, "hf-fsdp2");
  write_file(path, text);
  try {
    (void)load_plan(path);
    FAIL() << "accepted";
  } catch (const InputError& e) {
    const std::string message = e.what();
    EXPECT_TRUE(message.starts_with(path + ":24:10: profile: expected one of reference,"))
        << message;
    EXPECT_TRUE(message.ends_with("got \"hf-fsdp2\", did you mean \"hf-fsdp1\"?")) << message;
  }
  std::filesystem::remove(path);
}

TEST(PlanFile, RefusesOffloadOfWhatIsNotRecomputed) {
  PlanFile file{llama_job(8, 4096), "dgx-a100-80g", "tp(t)", Mesh({{"t", 8}}), false, 1, 1, 1};
  const std::string path = temporary("ithaca-plan-offload.yaml");
  file.job.levers.offload = true;
  write_file(path, to_yaml(file));
  try {
    (void)load_plan(path);
    FAIL() << "accepted";
  } catch (const InputError& e) {
    EXPECT_NE(std::string(e.what()).find(
                  "levers.offload: expected false, got true with recompute none, only what"),
              std::string::npos)
        << e.what();
  }
  file.recompute = true;
  write_file(path, to_yaml(file));
  EXPECT_TRUE(load_plan(path).job.levers.offload);
  std::filesystem::remove(path);
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

TEST(Space, HasADoubleRingWhereARingCrossesNodes) {
  const auto doubles = [](int gpus, std::int64_t node_gpus) {
    std::set<std::string> meshes;
    std::set<std::string> seen;
    const std::vector<Choice> all = choices(gpus, 2, node_gpus);
    for (const Choice& c : all) {
      seen.insert(fmt::format("{} {} {}", c.expression(), to_string(c.mesh), c.recompute));
      if (c.attention().find("double_ring") != std::string::npos) meshes.insert(to_string(c.mesh));
    }
    EXPECT_EQ(seen.size(), all.size());
    return meshes;
  };
  EXPECT_TRUE(doubles(8, 8).empty());
  EXPECT_TRUE(doubles(32, 0).empty());
  EXPECT_EQ(doubles(16, 4),
            (std::set<std::string>{"o=4,i=4", "o=4,i=2,u=2", "o=4,i=2,t=2", "p=2,o=2,i=4",
                                   "p=2,o=2,i=2,u=2", "p=2,o=2,i=2,t=2"}));
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
