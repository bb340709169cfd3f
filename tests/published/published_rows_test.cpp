// The published files as they are read: their facts, and one line for what is wrong with a file.
#include "reports/published_rows.h"

#include "reports/published_setup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

const PublishedRow& row(const std::string& id) {
  static const std::vector<PublishedRow> rows = published_rows(published_folder());
  const auto it = std::ranges::find(rows, id, &PublishedRow::id);
  if (it == rows.end()) throw std::runtime_error("no row " + id);
  return *it;
}

std::string message_of(const std::string& content) {
  const fs::path folder = fs::path(testing::TempDir()) / "published_rows_test";
  fs::create_directories(folder);
  std::ofstream(folder / "x.yaml") << content;
  std::string message = "accepted";
  try {
    published_rows(folder.string());
  } catch (const InputError& error) {
    message = error.what();
  }
  fs::remove_all(folder);
  const std::size_t at = message.find("x.yaml");
  return at == std::string::npos ? message : message.substr(at);
}

TEST(PublishedRows, KeepWhatWasPublished) {
  const PublishedRow& r = row("ody-odysseus_perf-Llama-2-7B-ulysses-16K-8gpu");
  EXPECT_EQ(r.file, "odysseus");
  EXPECT_EQ(r.model.layers, 32);
  EXPECT_EQ(r.seq_len, 16384);
  EXPECT_EQ(r.parallelism.ulysses, 8);
  EXPECT_EQ(r.metric("mem_allocated_gib"), 29.56);
  EXPECT_EQ(r.oom, false);
  EXPECT_FALSE(r.metric("mfu_pct"));
}

TEST(PublishedRows, NullIsWhatWasNotPublished) {
  EXPECT_EQ(
      message_of("rows: [{id: a, kind: e2e, seq_len: null, notes: '', metrics: {oom: null}}]"),
      "accepted");
}

TEST(PublishedRows, AWrongFileGivesOneLineWithPlaceAndHint) {
  EXPECT_EQ(message_of("rows: [{id: a, kind: e2e, metrics: {}, seq_length: 1}]"),
            "x.yaml:1:40: rows[0]: unknown key \"seq_length\", did you mean \"seq_len\"?");
  EXPECT_EQ(message_of("rows:\n- {id: a, kind: e2e, metrics: {peak_mem_gib: much}}"),
            "x.yaml:2:46: rows[0].metrics.peak_mem_gib: expected a number, got \"much\"");
  EXPECT_EQ(message_of("rows:\n- {id: a, metrics: {}}"),
            "x.yaml:2:3: rows[0]: missing key \"kind\"");
  EXPECT_EQ(
      message_of("rows:\n- {id: a, kind: e2e, metrics: {}}\n- {id: a, kind: e2e, metrics: {}}"),
      "x.yaml:3:3: id: expected an id of its own, got \"a\" again");
}

TEST(PublishedSetups, SayWhatARowRan) {
  const auto setup = setup_of(row("alst-abl-all"));
  const auto& s = std::get<PublishedSetup>(setup);
  EXPECT_EQ(s.strategy, "ulysses_zero3(u)");
  EXPECT_EQ(s.job.levers.mlp_tiles, 0);
  EXPECT_TRUE(s.job.levers.offload);
  EXPECT_TRUE(s.recompute.full);
  EXPECT_EQ(s.job.profile.name, "hf-liger-0.5-deepspeed");
}

TEST(PublishedSetups, GiveTheReasonWhereARowCannotBeModelled) {
  const auto setup = setup_of(row("nemo-4c73f7-pt-GPT3-175B-128gpu-tp4pp8cp1"));
  EXPECT_EQ(std::get<Unmodelled>(setup).reason, "FP8");
}

TEST(PublishedSetups, GiveEveryRowASetupOrAReason) {
  for (const PublishedRow& r : published_rows(published_folder())) {
    const auto setup = setup_of(r);
    if (const auto* const u = std::get_if<Unmodelled>(&setup)) {
      EXPECT_FALSE(u->reason.empty()) << r.id;
    }
  }
}

}  // namespace
}  // namespace ithaca
