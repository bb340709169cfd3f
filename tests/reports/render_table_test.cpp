#include "reports/render_table.h"

#include "reports/text_table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace ithaca {
namespace {

LayerShape shape(std::int64_t k, std::int64_t g) {
  LayerShape n;
  n.L = 32768;
  n.d = 4096;
  n.i = 11008;
  n.k = k;
  n.g = g;
  n.e = 128;
  return n;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

TEST(TableText, FitsATerminalAndHasNoTrailingSpaces) {
  for (const LayerShape& n : {shape(32, 1), shape(4, 8), shape(2, 7), shape(1, 16)})
    for (const int degree : {1, 2, 16})
      for (const std::string& line :
           lines(table_text(strategy_table({"model", n, degree, 0, 80})))) {
        EXPECT_LE(display_width(line), 120U) << line;
        EXPECT_FALSE(line.ends_with(' ')) << line;
      }
}

TEST(TableText, EchoesTheIntegersTaken) {
  const std::string text = table_text(strategy_table({"llama-2-7b", shape(32, 1), 8}));
  EXPECT_TRUE(text.starts_with("llama-2-7b on N = 8 ranks, L = 32768 tokens, b = 1 ")) << text;
  EXPECT_NE(text.find("odysseus_zero3 sends less than tp_sp beyond 19,814 tokens"),
            std::string::npos);
  EXPECT_NE(text.find("37 of 60 entries are right"), std::string::npos);
}

TEST(TableText, ExplainsEveryMark) {
  const std::string text = table_text(strategy_table({"m", shape(32, 1), 8}));
  for (int n = 1; text.find("(" + std::to_string(n) + ")") != std::string::npos; ++n)
    EXPECT_NE(text.find("\n " + std::string(n < 10 ? "  " : " ") + "(" + std::to_string(n) + ") "),
              std::string::npos)
        << n;
}

TEST(TableJson, KeepsTheContract) {
  const auto json = table_json(strategy_table({"m", shape(32, 1), 8}));
  EXPECT_EQ(json["schema"], "ithaca/1");
  EXPECT_EQ(json["model"], "m");
  EXPECT_EQ(json["shape"]["L"], 32768);
  ASSERT_EQ(json["rows"].size(), 9U);
  for (const auto& row : json["rows"]) {
    for (const char* key : {"strategy", "degree", "ulysses", "ring", "collectives", "sent_bytes",
                            "closed_form", "published"})
      EXPECT_TRUE(row.contains(key)) << key;
    std::int64_t sum = 0;
    for (const auto& c : row["collectives"]) {
      for (const char* key : {"phase", "kind", "axes", "tensor", "calls", "elements", "sent_bytes"})
        EXPECT_TRUE(c.contains(key)) << key;
      EXPECT_TRUE(
          (std::set<std::string>{"fwd", "bwd", "recompute", "update"}.contains(c["phase"])));
      EXPECT_TRUE((std::set<std::string>{"all_gather", "reduce_scatter", "all_reduce", "all_to_all",
                                         "send_recv"}
                       .contains(c["kind"])));
      if (c["phase"] != "update") sum += c["sent_bytes"].get<std::int64_t>();
    }
    EXPECT_EQ(row["sent_bytes"]["total"], sum);
    EXPECT_EQ(row["sent_bytes"]["activation"].get<std::int64_t>() +
                  row["sent_bytes"]["weight"].get<std::int64_t>(),
              sum);
    EXPECT_EQ(row["closed_form"]["activation_bytes"], row["sent_bytes"]["activation"]);
    for (const auto& p : row["published"])
      for (const char* key : {"table", "entry", "verdict", "reason"})
        EXPECT_TRUE(p.contains(key)) << key;
  }
  EXPECT_EQ(json["crossovers"].size(), 5U);
}

TEST(TableJson, TellsWhyARowIsImpossible) {
  const auto json = table_json(strategy_table({"m", shape(2, 7), 8}));
  EXPECT_NE(json["rows"][0]["error"].get<std::string>().find("14 heads"), std::string::npos);
  EXPECT_TRUE(json["rows"][0]["sent_bytes"].is_null());
  EXPECT_TRUE(json["crossovers"][0].contains("error"));
}

TEST(TableCsv, IsRectangular) {
  for (const LayerShape& n : {shape(32, 1), shape(2, 7)}) {
    const std::vector<std::string> all = lines(table_csv(strategy_table({"m", n, 8})));
    ASSERT_EQ(all.size(), 10U);
    EXPECT_EQ(all[0].substr(0, 28), "model,L,b,strategy,degree,ul");
    for (const std::string& line : all) {
      // Errors are quoted, so that their commas do not count.
      const std::string bare = line.substr(0, line.find('"'));
      const auto commas = std::count(bare.begin(), bare.end(), ',');
      EXPECT_EQ(commas, 19) << line;
    }
  }
}

TEST(TableMarkdown, ListsEveryPublishedEntry) {
  const std::string text = table_markdown(strategy_table({"m", shape(32, 1), 8}));
  int entries = 0;
  for (const std::string& line : lines(text))
    if (line.find("| old |") != std::string::npos || line.find("| new |") != std::string::npos)
      ++entries;
  EXPECT_EQ(entries, 60);
}

}  // namespace
}  // namespace ithaca
