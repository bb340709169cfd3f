// What programs send, against tests/data/strategy_bytes.json: lists of events that were written
// from the published code of each strategy, not by this program.
#include "sim/count.h"
#include "tests/shapes.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

namespace ithaca {
namespace {

using Json = nlohmann::json;

/// Phase, kind of collective, tensor group.
using Key = std::tuple<std::string, std::string, std::string>;
/// Elements of the full tensor and sent bytes, by key.
using Sent = std::map<Key, std::pair<std::int64_t, std::int64_t>>;

const std::map<std::string, std::string> our_strategy{
    {"TP", "tp"},
    {"TPSP", "tp_sp"},
    {"Ulysses", "ulysses_zero3"},
    {"Ring_TE", "ring_zero3"},
    {"Ring_RFA", "ring_homing_zero3"},
    {"CP_AG", "kv_gather_zero3"},
    {"USP", "usp_zero3"},
    {"Odysseus", "odysseus_zero3"},
};

const std::map<std::string, std::string> our_kind{
    {"AR", "all_reduce"},     {"AG", "all_gather"}, {"RS", "reduce_scatter"}, {"A2A", "all_to_all"},
    {"A2A(U)", "all_to_all"}, {"P2P", "send_recv"}, {"P2P(R)", "send_recv"},
};

const std::map<std::string, std::string> our_tensor{
    {"x1", "x1"},
    {"x1 (re-gather)", "x1"},
    {"x2", "x2"},
    {"x2 (re-gather)", "x2"},
    {"attn_out", "attn"},
    {"attn_out partial", "attn"},
    {"mlp_out", "mlp"},
    {"mlp_out partial", "mlp"},
    {"dmlp_out", "dy"},
    {"dattn_out", "dr"},
    {"dx1", "dx1"},
    {"dX attn", "dx1"},
    {"dx2", "dx2"},
    {"dX mlp", "dx2"},
    {"Q", "q"},
    {"K", "k"},
    {"V", "v"},
    {"O", "o"},
    {"dQ", "dq"},
    {"dK", "dk"},
    {"dV", "dv"},
    {"dO", "do"},
    {"KV", "k+v"},
    {"KV x(N-1)", "k+v"},
    {"dKV", "dk+dv"},
    {"dKV x(N-1)", "dk+dv"},
    {"dKV fp32 x N", "dk+dv"},
    {"W_layer", "weights"},
    {"dW_layer", "weight gradients"},
    {"W_up(gate)", "w_up"},
    {"dW_up(gate)", "dw_up"},
    {"W_down", "w_down"},
    {"dW_down", "dw_down"},
};

LayerShape shape_named(const std::string& model, std::int64_t L) {
  if (model == "llama3-8b") return llama3_8b(L);
  if (model == "llama3-70b") return shape_of(L, 8192, {8, 8, 128}, 28672);
  LayerShape shape = shape_of(L, 4096, {32, 1, 128}, 11008);
  if (model == "llama2-7b") return shape;
  EXPECT_EQ(model, "gpt-gelu");
  shape.i = 16384;
  shape.act = Act::gelu;
  return shape;
}

void add(Sent& sent, const Key& key, std::int64_t elements, std::int64_t bytes) {
  sent[key].first += elements;
  sent[key].second += bytes;
}

Sent golden(const Json& entry) {
  Sent sent;
  for (const Json& event : entry["events"])
    add(sent,
        {event[0].get<std::string>(), our_kind.at(event[1].get<std::string>()),
         our_tensor.at(event[2].get<std::string>())},
        event[3].get<std::int64_t>(), event[4].get<std::int64_t>());
  return sent;
}

/// `by_matrix`: weights one by one, else all matrices of the layer as one group.
Sent ours(const Count& count, bool by_matrix) {
  Sent sent;
  for (const Event& e : count.events) {
    std::string group = e.tensor;
    if (!by_matrix && e.role == Role::weight) group = "weights";
    if (!by_matrix && e.role == Role::weight_gradient) group = "weight gradients";
    add(sent, {name_of(e.phase), name_of(e.wire), group}, e.elements, e.sent_bytes);
  }
  return sent;
}

std::string text(const Sent& sent) {
  std::string lines;
  for (const auto& [key, value] : sent)
    lines += std::get<0>(key) + " " + std::get<1>(key) + " " + std::get<2>(key) + " " +
             std::to_string(value.first) + " elements " + std::to_string(value.second) + " B\n";
  return lines;
}

Count count_of(const Json& entry) {
  const LayerShape shape =
      shape_named(entry["model"].get<std::string>(), entry["L"].get<std::int64_t>());
  const std::string name = our_strategy.at(entry["strategy"].get<std::string>());
  const int ulysses = entry["U"].is_null() ? 0 : entry["U"].get<int>();
  const Mesh mesh = default_mesh(name, entry["N"].get<int>(), shape, ulysses);
  return count(layer_of(name, mesh, shape).program);
}

Json entries() {
  std::ifstream file(std::string(ITHACA_SOURCE_DIR) + "/tests/data/strategy_bytes.json");
  return Json::parse(file);
}

TEST(StrategyBytes, EveryEventOfEveryStrategyIsThePublishedOne) {
  for (const Json& entry : entries()) {
    const bool by_matrix = entry["strategy"] == "Odysseus";
    EXPECT_EQ(text(ours(count_of(entry), by_matrix)), text(golden(entry)))
        << entry["model"] << " " << entry["strategy"] << " N=" << entry["N"];
  }
}

TEST(StrategyBytes, TotalsSplitIntoActivationsAndWeights) {
  for (const Json& entry : entries()) {
    const SentBytes sent = count_of(entry).sent_bytes();
    EXPECT_EQ(sent.activation, entry["activation"].get<std::int64_t>()) << entry;
    EXPECT_EQ(sent.weight, entry["weight"].get<std::int64_t>()) << entry;
    EXPECT_EQ(sent.total(), entry["total"].get<std::int64_t>()) << entry;
  }
}

TEST(StrategyBytes, TheFileHoldsFourModelsThreeSettingsEightStrategies) {
  std::map<std::string, int> entries_of;
  for (const Json& entry : entries()) ++entries_of[entry["strategy"].get<std::string>()];
  EXPECT_EQ(entries_of.size(), our_strategy.size());
  for (const auto& [strategy, n] : entries_of) EXPECT_EQ(n, 12) << strategy;
}

}  // namespace
}  // namespace ithaca
