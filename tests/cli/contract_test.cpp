// What scripts may rely on: keys and types of --json, exit codes, which stream says what.
#include "reports/published_rows.h"
#include "tests/cli/cli_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <set>

namespace ithaca {
namespace {

using Json = nlohmann::json;

const std::string job = " --model llama-3.1-8b --cluster dgx-a100-80g --gpus 8 --seq 128k";

void expect_collectives(const Json& list) {
  ASSERT_TRUE(list.is_array());
  ASSERT_FALSE(list.empty());
  for (const Json& c : list) {
    EXPECT_TRUE(c.at("phase").is_string());
    EXPECT_TRUE(c.at("kind").is_string());
    EXPECT_TRUE(c.at("axes").is_array());
    EXPECT_TRUE(c.at("tensor").is_string());
    for (const char* const key : {"calls", "elements", "sent_bytes"})
      EXPECT_TRUE(c.at(key).is_number_integer()) << key;
  }
}

void expect_shape(const Json& json, std::int64_t L) {
  EXPECT_EQ(json.at("schema"), "ithaca/1");
  EXPECT_TRUE(json.at("model").is_string());
  EXPECT_EQ(json.at("shape").at("L"), L);
  for (const char* const key : {"b", "d", "i", "k", "g", "e"})
    EXPECT_TRUE(json.at("shape").at(key).is_number_integer()) << key;
}

TEST(Table, JsonHasTheContractsKeys) {
  const Ran ran = ithaca_cli("table --model llama-3.1-8b --gpus 8 --seq 128k --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  expect_shape(json, 131072);
  ASSERT_TRUE(json.at("rows").is_array());
  for (const Json& row : json.at("rows")) {
    ASSERT_FALSE(row.contains("error")) << row;
    expect_collectives(row.at("collectives"));
    for (const char* const key : {"degree", "ulysses", "ring"})
      EXPECT_TRUE(row.at(key).is_number_integer());
    const Json& sent = row.at("sent_bytes");
    EXPECT_EQ(sent.at("activation").get<std::int64_t>() + sent.at("weight").get<std::int64_t>(),
              sent.at("total").get<std::int64_t>());
    EXPECT_TRUE(row.at("closed_form").is_object());
    EXPECT_TRUE(row.at("published").is_array());
  }
}

TEST(Table, SaysWhichIntegerWasTakenForTheLength) {
  const Ran ran = ithaca_cli("table --model llama-3.1-8b --gpus 8 --seq 128k");
  EXPECT_EQ(ran.code, 0);
  EXPECT_NE(ran.out.find("131072"), std::string::npos);
  EXPECT_NE(ran.err.find("note: --seq 128k = 131072 tokens"), std::string::npos);
}

TEST(Table, TakesBareSizesAndSaysWhatItAssumed) {
  const Ran ran = ithaca_cli("table -L 4096 -d 1024 -i 4096 -N 4 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json().at("shape").at("heads"), 8);
  EXPECT_EQ(ran.json().at("shape").at("e"), 128);
  EXPECT_EQ(ran.err, "note: no --model: 8 heads of 128, 8 KV heads, SwiGLU, RMSNorm, RoPE\n");
}

TEST(Table, CsvHasOneLinePerStrategy) {
  const Ran ran = ithaca_cli("table --model llama-3.1-8b --gpus 8 --seq 4096 --csv");
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 10);
}

TEST(Cost, JsonHasTheContractsKeys) {
  const Ran ran = ithaca_cli("cost --strategy usp_zero3 --json" + job);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  expect_shape(json, 131072);
  expect_collectives(json.at("collectives"));
  EXPECT_EQ(json.at("ulysses").get<int>() * json.at("ring").get<int>(), 8);
  EXPECT_GT(json.at("ring").get<int>(), 1);
  EXPECT_TRUE(json.at("flops").is_number_integer());
  const Json& memory = json.at("memory");
  std::int64_t sum = 0;
  for (const auto& [role, bytes] : memory.at("by_role").items()) sum += bytes.get<std::int64_t>();
  for (const auto& [what, bytes] : memory.at("overheads").items()) sum += bytes.get<std::int64_t>();
  EXPECT_EQ(sum, memory.at("peak_bytes").get<std::int64_t>());
  EXPECT_TRUE(memory.at("capacity_bytes").is_number_integer());
  for (const char* const policy : {"default", "expandable_segments"})
    EXPECT_GE(memory.at("reserved_bytes").at(policy), memory.at("tensor_bytes")) << policy;
  for (const char* const key :
       {"step_s", "compute_s", "exposed_comm_s", "micro_batch_s", "update_s"})
    EXPECT_TRUE(json.at("time").at(key).is_number()) << key;
  double causes_s = 0, exposed_s = 0;
  for (const Json& cause : json.at("time").at("causes")) {
    EXPECT_TRUE(cause.at("what").is_string() && cause.at("exposed").is_boolean());
    causes_s += cause.at("s").get<double>();
    if (cause.at("exposed").get<bool>()) exposed_s += cause.at("s").get<double>();
  }
  EXPECT_NEAR(exposed_s, json.at("time").at("exposed_comm_s").get<double>(), 0.001 * causes_s);
  const double step_s = json.at("time").at("step_s").get<double>();
  EXPECT_NEAR(causes_s, step_s, 0.001 * step_s);
}

/// The band of validate's rows on such GPUs stands beside the seconds, in text and for scripts.
TEST(Cost, AndPlanShowTheErrorBandOfTheGpu) {
  const std::string text = ithaca_cli("cost --strategy ulysses_zero3" + job).out;
  const Json time = ithaca_cli("cost --json --strategy ulysses_zero3" + job).json().at("time");
  const Json band = time.at("step_band");
  EXPECT_EQ(band.at("gpus"), "compute capability 8.0");
  EXPECT_NE(text.find(fmt::format("({:+.0f} % ... {:+.0f} %)", 100 * band.at("low").get<double>(),
                                  100 * band.at("high").get<double>())),
            std::string::npos)
      << text;
  EXPECT_NEAR(band.at("low_s").get<double>(),
              time.at("step_s").get<double>() * (1 + band.at("low").get<double>()), 1e-9);
  const std::string small = " -L 4k -d 1024 -i 4096 -N 2 --cluster ";
  const Ran plan = ithaca_cli("plan --json" + small + "dgx-a100-80g");
  ASSERT_EQ(plan.code, 0) << plan.err;
  EXPECT_EQ(plan.json().at("step_band").at("high"), band.at("high"));
  EXPECT_NE(ithaca_cli("plan" + small + "dgx-a100-80g").out.find(" % ... +"), std::string::npos);
}

TEST(Cost, JsonOfAPipelineHasEveryStage) {
  const std::string how =
      "cost --json --strategy tp_sp --mesh t=2 --pipeline 4,2 --micro-batches 8" + job;
  const Ran ran = ithaca_cli(how);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  const Json& pipeline = json.at("pipeline");
  EXPECT_EQ(pipeline.at("stages"), 4);
  EXPECT_EQ(pipeline.at("chunks"), 2);
  ASSERT_EQ(pipeline.at("by_stage").size(), 4U);
  for (const Json& stage : pipeline.at("by_stage")) {
    EXPECT_NEAR(stage.at("busy_s").get<double>() + stage.at("bubble_s").get<double>(),
                pipeline.at("step_s").get<double>(), 1e-9);
    EXPECT_LE(stage.at("tensor_bytes"), json.at("memory").at("tensor_bytes"));
  }
  EXPECT_EQ(pipeline.at("by_stage")[0].at("in_flight"), 2 * 3 + 4 + 1);
  EXPECT_TRUE(ithaca_cli("cost --json --strategy tp_sp" + job).json().at("pipeline").is_null());
}

TEST(Cost, SaysHowUnevenAMaskMakesAttention) {
  const auto cost = [](const std::string& strategy, const std::string& mask) {
    return ithaca_cli("cost --json --strategy " + strategy + " --mask " + mask + job).json();
  };
  EXPECT_EQ(cost("ring_zigzag_zero3", "causal").at("attention_imbalance"), 1);
  // The last of 8 blocks sees 7 whole ones and half its own, of 4 on average.
  EXPECT_NEAR(cost("ring_zero3", "causal").at("attention_imbalance").get<double>(), 7.5 / 4, 1e-3);
  EXPECT_EQ(cost("ring_zero3", "documents:mean=16k,spread=0").at("attention_imbalance"), 1);
  EXPECT_EQ(cost("ring_zero3", "window:4k").at("mask"), "window:4096");
  EXPECT_LT(cost("ulysses_zero3", "window:4k").at("flops"),
            cost("ulysses_zero3", "causal").at("flops"));
}

TEST(Cost, CountsAsTheTableDoes) {
  const Json rows =
      ithaca_cli("table --model llama-3.1-8b -N 8 -L 131072 --json").json().at("rows");
  for (const Json& row : rows) {
    const Json cost =
        ithaca_cli("cost --json --strategy " + row.at("strategy").get<std::string>() + job).json();
    for (const char* const key : {"collectives", "sent_bytes", "degree", "ulysses", "ring"})
      EXPECT_EQ(cost.at(key), row.at(key)) << row.at("strategy") << ' ' << key;
  }
}

TEST(Cost, PricesSlidingLayersOfAStepWithTheirWindow) {
  const auto flops = [](const std::string& mask) {
    return ithaca_cli(
               "cost --json --strategy ulysses_zero3 --model gemma-2-9b --cluster "
               "dgx-a100-80g --gpus 8 --seq 64k" +
               mask)
        .json()
        .at("step")
        .at("flops")
        .get<double>();
  };
  EXPECT_LT(flops(""), 0.8 * flops(" --mask causal"));
  EXPECT_LT(flops(" --mask window:4k"), flops(""));
}

TEST(Cost, SaysWhatEachLeverSaves) {
  const Json levers = ithaca_cli("cost --json --strategy ulysses_zero3" + job).json().at("levers");
  ASSERT_GE(levers.size(), 6U);
  EXPECT_EQ(levers.front().at("lever"), "none");
  const auto none = levers.front().at("alone_peak_bytes").get<std::int64_t>();
  std::int64_t before = none;
  for (const Json& lever : levers) {
    EXPECT_LE(lever.at("alone_peak_bytes"), none) << lever;
    EXPECT_LE(lever.at("together_peak_bytes"), before) << lever;
    before = lever.at("together_peak_bytes").get<std::int64_t>();
  }
  EXPECT_LT(before, none / 3);
}

TEST(Cost, ListsTheUpdateOutsideTheSum) {
  const Json cost = ithaca_cli("cost --json --strategy tp_sp" + job).json();
  std::int64_t layer = 0, update = 0;
  for (const Json& c : cost.at("collectives"))
    (c.at("phase") == "update" ? update : layer) += c.at("sent_bytes").get<std::int64_t>();
  EXPECT_EQ(layer, cost.at("sent_bytes").at("total"));
  EXPECT_EQ(update, 2 * 2 * 7 * 4096 / 8 * 2);  // two gains of 4096 in bf16: 2 (N-1)/N each
}

TEST(Longest, JsonHasTheContractsKeysAndTheLengthIsTheLast) {
  const Ran ran = ithaca_cli("longest --model llama-3.1-8b --cluster dgx-h100 --gpus 8 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  const auto tokens = json.at("longest").get<std::int64_t>();
  EXPECT_EQ(json.at("limited_by"), "host");
  EXPECT_TRUE(json.at("levers").at("weights_offload").get<bool>());
  EXPECT_TRUE(json.at("levers").at("offload").get<bool>());
  EXPECT_LE(json.at("memory").at("peak_bytes"), json.at("memory").at("capacity_bytes"));
  const auto memory = [&](std::int64_t seq) {
    const std::string line = fmt::format(
        "cost --model llama-3.1-8b --cluster dgx-h100 --gpus 8 --seq {} --strategy ulysses_zero3 "
        "--recompute full --mlp-tiles auto --loss-tiles auto --offload --optimizer-offload "
        "--weights-offload --json",
        seq);
    return ithaca_cli(line).json().at("memory");
  };
  EXPECT_EQ(memory(tokens).at("peak_bytes"), json.at("memory").at("peak_bytes"));
  EXPECT_GT(memory(tokens + json.at("granularity").get<std::int64_t>()).at("host_bytes_per_node"),
            json.at("memory").at("host_capacity_bytes"));
}

void expect_rows(const Json& json) {
  for (const Json& row : json.at("rows")) {
    for (const char* const key : {"id", "source", "what", "profile", "strategy"})
      EXPECT_TRUE(row.at(key).is_string()) << key;
    for (const char* const key : {"measured", "predicted", "error"})
      EXPECT_TRUE(row.at(key).is_number()) << key << row;
  }
  for (const Json& row : json.at("unmodelled")) EXPECT_FALSE(row.at("reason").empty());
}

/// Each group's picks are rows of it, and the groups add up to what is said of all.
void expect_groups(const Json& json) {
  std::size_t pairs = 0, right = 0;
  for (const Json& group : json.at("groups")) {
    pairs += group.at("pairs").get<std::size_t>();
    right += group.at("right_pairs").get<std::size_t>();
    EXPECT_LE(std::abs(group.at("rank_correlation").get<double>()), 1) << group;
    for (const char* const best : {"measured_best", "predicted_best"})
      EXPECT_TRUE(std::ranges::any_of(json.at("rows"), [&](const Json& row) {
        return row.at("id") == group.at(best) && row.value("group", "") == group.at("group");
      })) << group;
  }
  EXPECT_GT(pairs, 0U);
  EXPECT_EQ(json.at("overall").at("order").at("pairs"), pairs);
  EXPECT_EQ(json.at("overall").at("order").at("right_pairs"), right);
}

/// Every row of every shipped file is predicted in time or memory, or listed with a reason.
void expect_no_row_dropped(const Json& json) {
  std::set<std::string> ids;
  for (const char* const part : {"rows", "unmodelled"})
    for (const Json& row : json.at(part)) ids.insert(row.at("id").get<std::string>());
  for (const PublishedRow& row : published_rows(published_folder()))
    EXPECT_TRUE(ids.contains(row.id)) << row.id;
}

TEST(Validate, JsonHasTheContractsKeysGroupsThatAddUpAndEveryRow) {
  const Ran ran = ithaca_cli("validate --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  EXPECT_EQ(json.at("schema"), "ithaca/1");
  for (const char* const part : {"after forward", "time", "collectives", "kernels"})
    EXPECT_TRUE(json.at("overall").at(part).at("bias").is_number()) << part;
  EXPECT_TRUE(json.at("overall").at("order").at("rank_correlation").is_number());
  EXPECT_TRUE(json.at("sources").at("odysseus").at("decisions").at("right").is_number_integer());
  EXPECT_TRUE(json.at("sources").at("odysseus").at("time").at("median").is_number());
  expect_rows(json);
  expect_groups(json);
  expect_no_row_dropped(json);
}

TEST(Validate, OfOwnRowsFailsWhereTheMedianIsAboveTheGate) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "ithaca_gate";
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(std::string(ITHACA_SOURCE_DIR) + "/reports/published/korthikanti.yaml",
                             folder / "korthikanti.yaml",
                             std::filesystem::copy_options::overwrite_existing);
  const std::string line = "validate --data " + folder.string();
  EXPECT_EQ(ithaca_cli(line + " --gate 0.5").code, 0);
  const Ran ran = ithaca_cli(line + " --gate 0.001");
  EXPECT_EQ(ran.code, 4);
  EXPECT_NE(ran.err.find("above the gate 0.001"), std::string::npos) << ran.err;
  std::filesystem::remove_all(folder);
}

TEST(Longest, SaysWhenNotEvenTheShortestFits) {
  const Ran ran = ithaca_cli("longest --model llama-3.1-405b --cluster dgx-h100 --gpus 8");
  EXPECT_EQ(ran.code, 3) << ran.out;
  EXPECT_NE(ran.out.find("not even"), std::string::npos);
}

TEST(Longest, OfFewerLeversIsShorter) {
  std::int64_t before = 0;
  for (const char* const levers :
       {"--recompute none", "--recompute selective", "--recompute full",
        "--recompute full --loss-tiles auto", "--recompute full --loss-tiles auto --offload",
        "--recompute full --loss-tiles auto --offload --mlp-tiles auto", ""}) {
    const Json json = ithaca_cli(std::string("longest --model llama-3.1-8b --cluster dgx-h100 "
                                             "--gpus 8 --json ") +
                                 levers)
                          .json();
    const auto tokens = json.at("longest").get<std::int64_t>();
    EXPECT_GT(tokens, before) << levers;
    before = tokens;
  }
}

TEST(Cost, WarnsOfRingGradientsInBf16OnlyWhereTheyAre) {
  const std::string warning = "issue 42";
  const auto warns = [&](const std::string& strategy) {
    const Ran ran = ithaca_cli("cost --strategy " + strategy + job);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.err.find(warning) != std::string::npos;
  };
  EXPECT_TRUE(warns("ring_zero3"));
  EXPECT_TRUE(warns("usp_zero3"));
  EXPECT_FALSE(warns("ring_homing_zero3"));
  EXPECT_FALSE(warns("ulysses_zero3"));
}

TEST(Cost, SaysWhatTheHostAndTheProfileHold) {
  const std::string line = "cost" + job + " --strategy ulysses_zero3 --recompute full --offload";
  const Json own = ithaca_cli(line + " --json").json();
  EXPECT_EQ(own.at("profile"), "reference");
  EXPECT_GT(own.at("memory").at("host_bytes_per_node").get<std::int64_t>(), 0);
  EXPECT_EQ(own.at("memory").at("host_capacity_bytes").get<std::int64_t>(), 2'048'000'000'000);
  EXPECT_EQ(own.at("memory").at("overheads").at("gathered_bytes"), 0);
  const Json theirs = ithaca_cli(line + " --profile deepspeed --json").json();
  EXPECT_EQ(theirs.at("profile"), "deepspeed");
  EXPECT_EQ(theirs.at("memory").at("overheads").at("gathered_bytes"),
            2'100'000'000 - 2 * 128256 * 4096);  // the head is in use at the peak
  EXPECT_EQ(theirs.at("memory").at("overheads").at("bucket_bytes"), 2'000'000'000);
  const std::string text = ithaca_cli(line + " --profile deepspeed").out;
  for (const char* const words : {", as deepspeed does", "host, a node",
                                  "overhead: gathered weights", "overhead: gradient buckets"})
    EXPECT_NE(text.find(words), std::string::npos) << words;
  EXPECT_EQ(ithaca_cli(line).out.find("gathered weights"), std::string::npos);
}

TEST(Profile, IsNamedByEveryVerbThatPrices) {
  const std::string flag = " --profile hf-deepspeed";
  for (const std::string& line :
       {"table --model llama-3.1-8b --gpus 8 --seq 128k" + flag, "plan" + job + flag,
        "longest --model llama-3.1-8b --cluster dgx-h100 --gpus 8" + flag}) {
    EXPECT_NE(ithaca_cli(line).out.find("as hf-deepspeed does"), std::string::npos) << line;
    EXPECT_EQ(ithaca_cli(line + " --json").json().at("profile"), "hf-deepspeed") << line;
  }
}

TEST(Plan, TakesTheLeversOfAStep) {
  const Ran ran = ithaca_cli(
      "plan --json --recipe f32 --micro-batches 2 --loss-tiles auto "
      "--optimizer-offload --bucket-elements 1000000 --comm-chunks 4" +
      job);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  EXPECT_EQ(json.at("recipe"), "f32");
  EXPECT_EQ(json.at("micro_batches"), 2);
  EXPECT_EQ(json.at("levers").at("loss_tiles"), "auto");
  EXPECT_EQ(json.at("levers").at("optimizer_offload"), true);
  EXPECT_EQ(json.at("levers").at("bucket_elements"), 1000000);
  EXPECT_EQ(json.at("levers").at("comm_chunks"), 4);
}

TEST(Plan, JsonHasTheContractsKeys) {
  const Ran ran = ithaca_cli("plan --json" + job);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = ran.json();
  expect_shape(json, 131072);
  const auto is_choice = [](const Json& c) {
    int ranks = 1;
    for (const auto& [axis, n] : c.at("mesh").items()) ranks *= n.get<int>();
    return c.at("attention").is_string() && c.at("mlp").is_string() &&
           c.at("strategy").is_string() && c.at("recompute").is_string() && ranks == 8;
  };
  ASSERT_FALSE(json.at("ranking").empty());
  EXPECT_EQ(json.at("best"), json.at("ranking").front());
  double before_s = 0;
  for (const Json& r : json.at("ranking")) {
    EXPECT_TRUE(is_choice(r));
    EXPECT_GE(r.at("step_s").get<double>(), before_s);
    before_s = r.at("step_s").get<double>();
    EXPECT_LE(r.at("peak_bytes").get<std::int64_t>(),
              json.at("capacity_bytes").get<std::int64_t>());
    EXPECT_TRUE(r.at("sent_bytes").is_number_integer());
  }
  for (const Json& i : json.at("infeasible"))
    EXPECT_TRUE(is_choice(i) && i.at("reason").is_string());
  EXPECT_EQ(json.at("candidates").get<std::size_t>(),
            json.at("ranking").size() + json.at("infeasible").size());
  EXPECT_TRUE(json.at("wall_s").is_number());
}

TEST(Plan, ExplainsItsChoiceInAtMost120Columns) {
  const Ran ran = ithaca_cli("plan" + job);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("runner-up"), std::string::npos);
  EXPECT_NE(ran.out.find("best tp_sp"), std::string::npos);
  EXPECT_NE(ran.out.find("131072"), std::string::npos);
  EXPECT_EQ(ran.err.find("layers only"), std::string::npos) << ran.err;
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120U) << line;
}

TEST(Plan, SaysWhatLimitsWhenNothingFits) {
  const Ran ran =
      ithaca_cli("plan --model llama-3.1-405b --cluster dgx-a100-80g --gpus 2 --seq 1M");
  EXPECT_EQ(ran.code, 3);
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(one_line_only(ran.err)) << ran.err;
  EXPECT_TRUE(ran.err.starts_with("no feasible plan: the least memory")) << ran.err;
}

TEST(Lists, ShowEveryPreset) {
  const Json models = ithaca_cli("models --json").json().at("models");
  EXPECT_GE(models.size(), 40U);
  for (const Json& m : models) EXPECT_TRUE(m.at("parameters").is_number_integer());
  EXPECT_GE(ithaca_cli("clusters --json").json().at("clusters").size(), 30U);
  EXPECT_EQ(ithaca_cli("models show llama-3.1-8b --json").json().at("model").at("parameters"),
            8030261248);
  EXPECT_EQ(ithaca_cli("clusters check dgx-a100-80g").code, 0);
}

TEST(Clusters, ShowNamesTheLinkThatHoldsARingBackAsJsonDoes) {
  const std::string text = ithaca_cli("clusters show dgx-h100").out;
  const Json topology = ithaca_cli("clusters show dgx-h100 --json").json().at("topology");
  EXPECT_EQ(topology.at("vertices").at("nics"), 8);
  ASSERT_EQ(topology.at("flows").size(), 2U);
  for (const Json& flow : topology.at("flows"))
    for (const char* const kind : {"ring", "all_to_all"})
      EXPECT_NE(text.find("held back by " + flow.at(kind).at("bottleneck").get<std::string>()),
                std::string::npos);
  EXPECT_NE(text.find("8 GPUs, 1 NVSwitch, 8 PCIe switches, 1 socket, 8 NICs, 1 leaf switch"),
            std::string::npos);
}

TEST(Clusters, AnImportIsAClusterFileThatChecks) {
  const std::string file = (std::filesystem::temp_directory_path() / "ithaca_import.yaml").string();
  const Ran ran =
      ithaca_cli("clusters import tests/data/topology/dgx_h100.xml --name mine -o " + file);
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err.find("note: the memory of the host"), std::string::npos);
  EXPECT_EQ(ithaca_cli("clusters check " + file).out, "mine: ok, 8 x H100-SXM5-80GB a node\n");
  const Json shown = ithaca_cli("clusters show --json " + file).json(),
             imported =
                 ithaca_cli("clusters import --json --name mine tests/data/topology/dgx_h100.xml")
                     .json();
  EXPECT_EQ(shown.at("cluster"), imported.at("cluster"));
  EXPECT_EQ(shown.at("topology"), imported.at("topology"));
  std::filesystem::remove(file);
}

TEST(Cli, HelpAndVersionAreResults) {
  EXPECT_EQ(ithaca_cli("--version").out, "ithaca 0.1.0\n");
  for (const std::string verb :
       {"", "table ", "cost ", "plan ", "run ", "report ", "models ", "clusters "}) {
    const Ran ran = ithaca_cli(verb + "--help");
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.err, "");
    EXPECT_NE(ran.out.find("Example"), std::string::npos) << verb;
  }
}

}  // namespace
}  // namespace ithaca
