// Programs that do not fit are refused when they are written, with one line that says why.
// tests/error/programs/X.case asks for a strategy on a mesh and a shape; X.txt is the exact
// message.
#include "models/catalog.h"
#include "models/error.h"
#include "models/layer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

template <class F>
std::string message_of(const F& build) {
  try {
    build();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

// ---- strategies
// -----------------------------------------------------------------------------------

std::map<std::string, std::string> request(const fs::path& path) {
  std::map<std::string, std::string> fields;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    fields[line.substr(0, line.find(':'))] = line.substr(line.find(": ") + 2);
  return fields;
}

LayerShape parse_shape(const std::string& text) {
  LayerShape shape;
  std::map<char, std::int64_t*> sizes{{'b', &shape.b}, {'L', &shape.L}, {'d', &shape.d},
                                      {'k', &shape.k}, {'g', &shape.g}, {'e', &shape.e},
                                      {'i', &shape.i}};
  std::istringstream words(text);
  for (std::string word; words >> word;) *sizes.at(word[0]) = std::stoll(word.substr(2));
  return shape;
}

void build(const std::map<std::string, std::string>& fields) {
  const LayerShape shape = parse_shape(fields.at("shape"));
  const Mesh mesh = parse_mesh(fields.at("mesh"));
  const Arrangement arrangement = arrange(fields.at("strategy"), mesh, shape);
  (void)settle_program(layer_program(shape, arrangement.strategy, arrangement.mesh));
}

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Strategies, ThatAreImpossibleSayWhyInOneLine) {
  int cases = 0;
  for (const auto& file :
       fs::directory_iterator(fs::path(ITHACA_SOURCE_DIR) / "tests/error/programs")) {
    if (file.path().extension() != ".case") continue;
    fs::path expected = file.path();
    expected.replace_extension(".txt");
    const std::string message = message_of([&] { build(request(file.path())); }) + "\n";
    if (std::getenv("ITHACA_UPDATE_GOLDEN") != nullptr) std::ofstream(expected) << message;
    EXPECT_EQ(message, content(expected)) << file.path();
    EXPECT_EQ(std::ranges::count(message, '\n'), 1) << file.path();
    ++cases;
  }
  EXPECT_GE(cases, 30);
}

// ---- programs written by hand
// ---------------------------------------------------------------------

constexpr Axis r{0}, t{1};

/// x lies along L on r, w along i on t.
struct Hand {
  Builder b{parse_mesh("r=2,t=4")};
  ValueId x = b.input("x", tensor({{DimName::b, 1}, {DimName::L, 16, {{r}}}, {DimName::d, 8}}),
                      Role::activation);
  ValueId w = b.input("w", tensor({{DimName::d, 8}, {DimName::i, 12, {{t}}}}), Role::weight);

  static Type tensor(std::initializer_list<Dim> dims, AxisList flat = {}, AxisList partial = {}) {
    return {DType::bf16, dims, std::move(flat), std::move(partial)};
  }
  ValueId heads(const char* name, Cuts tokens, Cuts over_heads = {}, Cuts over_e = {}) {
    return b.input(name,
                   tensor({{DimName::b, 1},
                           {DimName::L, 16, std::move(tokens)},
                           {DimName::k, 4, std::move(over_heads)},
                           {DimName::g, 1},
                           {DimName::e, 8, std::move(over_e)}}),
                   Role::activation);
  }
  ValueId keys(const char* name, Cuts tokens, Cuts over_heads = {}) {
    return b.input(name,
                   tensor({{DimName::b, 1},
                           {DimName::L, 16, std::move(tokens)},
                           {DimName::k, 4, std::move(over_heads)},
                           {DimName::e, 8}}),
                   Role::activation);
  }
};

TEST(Add, RefusesValuesThatLieDifferently) {
  Hand h;
  const ValueId whole = h.b.input(
      "z", Hand::tensor({{DimName::b, 1}, {DimName::L, 16}, {DimName::d, 8}}), Role::activation);
  EXPECT_EQ(message_of([&] { h.b.add("sum", h.x, whole); }),
            "sum: z bf16[b=1, L=16, d=8]: expected it to lie as x bf16[b=1, L=16/r, d=8]; move one "
            "of them");
}

TEST(Einsum, RefusesAFlatShard) {
  Hand h;
  const ValueId w =
      h.b.input("wz", Hand::tensor({{DimName::d, 8}, {DimName::i, 12}}, {t}), Role::weight);
  EXPECT_EQ(
      message_of([&] {
        h.b.einsum("up", h.x, w, {DimName::b, DimName::L, DimName::i});
      }),
      "up: wz bf16[d=8, i=12] flat t: expected a whole value, got a flat shard; gather it first");
}

TEST(Einsum, RefusesAContractedDimThatLiesDifferently) {
  Hand h;
  const ValueId w =
      h.b.input("wz", Hand::tensor({{DimName::d, 8, {{t}}}, {DimName::i, 12}}), Role::weight);
  EXPECT_EQ(message_of([&] {
              h.b.einsum("up", h.x, w, {DimName::b, DimName::L, DimName::i});
            }),
            "up: wz bf16[d=8/t, i=12]: expected dim d to lie as in x bf16[b=1, L=16/r, d=8]; move "
            "one of them");
}

TEST(Einsum, RefusesAPartialSumTimesAShardOfTheSameAxis) {
  Hand h;
  const ValueId p =
      h.b.input("p", Hand::tensor({{DimName::b, 1}, {DimName::L, 16}, {DimName::d, 8}}, {}, {t}),
                Role::activation);
  EXPECT_EQ(message_of([&] {
              h.b.einsum("up", p, h.w, {DimName::b, DimName::L, DimName::i});
            }),
            "up: w bf16[d=8, i=12/t]: expected copies on axis t, where the other operand is a "
            "partial sum; settle "
            "that first");
}

TEST(Einsum, RefusesOneAxisOnTwoDims) {
  Hand h;
  const ValueId w =
      h.b.input("wz", Hand::tensor({{DimName::d, 8}, {DimName::i, 12, {{r}}}}), Role::weight);
  EXPECT_EQ(message_of([&] {
              h.b.einsum("up", h.x, w, {DimName::b, DimName::L, DimName::i});
            }),
            "up: expected one use of each axis, got bf16[b=1, L=16/r, i=12/r], use another axis");
}

TEST(Norm, RefusesAPartialSum) {
  Hand h;
  const ValueId p =
      h.b.input("p", Hand::tensor({{DimName::L, 16}, {DimName::d, 8}}, {}, {t}), Role::activation);
  const ValueId gain = h.b.input("gain", Hand::tensor({{DimName::d, 8}}), Role::weight);
  EXPECT_EQ(message_of([&] {
              h.b.normalize("n", Norm::rms, {p, gain});
            }),
            "n: p bf16[L=16, d=8] partial t: expected a settled value, got a partial sum or a flat "
            "shard; move it "
            "first");
}

TEST(Norm, RefusesRowsThatAreCut) {
  Hand h;
  const ValueId z =
      h.b.input("z", Hand::tensor({{DimName::L, 16}, {DimName::d, 8, {{t}}}}), Role::activation);
  const ValueId gain = h.b.input("gain", Hand::tensor({{DimName::d, 8}}), Role::weight);
  EXPECT_EQ(
      message_of([&] {
        h.b.normalize("n", Norm::rms, {z, gain});
      }),
      "n: z bf16[L=16, d=8/t]: expected all of dim d on each rank, got a shard; gather it first");
}

TEST(Norm, RefusesAGainThatIsCut) {
  Hand h;
  const ValueId gain = h.b.input("gain", Hand::tensor({{DimName::d, 8, {{t}}}}), Role::weight);
  EXPECT_EQ(
      message_of([&] {
        h.b.normalize("n", Norm::rms, {h.x, gain});
      }),
      "n: gain bf16[d=8/t]: expected dim d to lie as in x bf16[b=1, L=16/r, d=8]; gather it first");
}

TEST(Norm, RefusesAGainOfAnotherSize) {
  Hand h;
  const ValueId gain = h.b.input("gain", Hand::tensor({{DimName::d, 4}}), Role::weight);
  EXPECT_NE(message_of([&] { h.b.normalize("n", Norm::rms, {h.x, gain}); }), "accepted");
}

TEST(Bias, RefusesOneThatLiesDifferently) {
  Hand h;
  const ValueId bias = h.b.input("bias", Hand::tensor({{DimName::d, 8, {{t}}}}), Role::weight);
  EXPECT_EQ(message_of([&] { h.b.bias("y", h.x, bias); }),
            "y: bias bf16[d=8/t]: expected dim d to lie as in x bf16[b=1, L=16/r, d=8]; move one "
            "of them");
}

TEST(Activate, RefusesAGatedOneWithoutGates) {
  Hand h;
  EXPECT_EQ(message_of([&] { h.b.activate("act", Act::swiglu, h.x); }),
            "act: x bf16[b=1, L=16/r, d=8]: expected the dim m of a gated MLP");
}

TEST(Rope, RefusesAHeadThatIsCut) {
  Hand h;
  const ValueId q = h.heads("q", {}, {}, {{t}});
  EXPECT_EQ(message_of([&] {
              h.b.rope("q", {q}, {1e4, false});
            }),
            "q: q bf16[b=1, L=16, k=4, g=1, e=8/t]: expected all of dim e on each rank, got a "
            "shard; gather it "
            "first");
}

TEST(Attend, RefusesShardedKeysWithoutARing) {
  Hand h;
  const ValueId q = h.heads("q", {{r}}), k = h.keys("k", {{r}}), v = h.keys("v", {{r}});
  EXPECT_EQ(message_of([&] { h.b.attend(q, k, v, {}); }),
            "attend: k bf16[b=1, L=16/r, k=4, e=8]: expected all of dim L of the keys, got a shard "
            "over r; gather "
            "it or let attention walk around that axis");
}

TEST(Attend, RefusesHeadsThatLieDifferently) {
  Hand h;
  const ValueId q = h.heads("q", {}, {{t}}), k = h.keys("k", {}), v = h.keys("v", {});
  EXPECT_EQ(message_of([&] { h.b.attend(q, k, v, {}); }),
            "attend: k bf16[b=1, L=16, k=4, e=8]: expected dim k to lie as in q bf16[b=1, L=16, "
            "k=4/t, g=1, e=8]");
}

TEST(Attend, RefusesValuesThatLieUnlikeKeys) {
  Hand h;
  const ValueId q = h.heads("q", {}), k = h.keys("k", {}), v = h.keys("v", {}, {{t}});
  EXPECT_EQ(message_of([&] { h.b.attend(q, k, v, {}); }),
            "attend: v bf16[b=1, L=16, k=4/t, e=8]: expected v to lie as k");
}

TEST(Ring, RefusesAnAxisThatSpreadsHeads) {
  Hand h;
  const ValueId q = h.heads("q", {{r}}, {{t}}), k = h.keys("k", {{r}}, {{t}}),
                v = h.keys("v", {{r}}, {{t}});
  EXPECT_EQ(message_of([&] { h.b.attend_ring(q, k, v, {{t}}); }),
            "ring: q bf16[b=1, L=16/r, k=4/t, g=1, e=8]: expected dim L to lie over the ring's "
            "axis t; split the "
            "sequence over it");
}

TEST(Ring, RefusesQueriesThatAreCopiedAroundIt) {
  Hand h;
  const ValueId q = h.heads("q", {}), k = h.keys("k", {{r}}), v = h.keys("v", {{r}});
  EXPECT_EQ(message_of([&] { h.b.attend_ring(q, k, v, {{r}}); }),
            "ring: q bf16[b=1, L=16, k=4, g=1, e=8]: expected dim L to lie over the ring's axis r; "
            "split the "
            "sequence over it");
}

TEST(Move, RefusesToMoveAMajorAxis) {
  Hand h;
  const ValueId z = h.b.input("z", Hand::tensor({{DimName::L, 16, {{r}, {t}}}, {DimName::d, 8}}),
                              Role::activation);
  EXPECT_EQ(message_of([&] {
              h.b.move(z, Layout{{DimName::L, {t}}});
            }),
            "move: bf16[L=16/r/t, d=8] to bf16[L=16/t, d=8]: only the minor axes of a dimension "
            "can move; put the "
            "axis that moves last");
}

TEST(Move, RefusesToMakeAPartialSum) {
  Hand h;
  Type to = h.b.type(h.x);
  to.partial = {t};
  EXPECT_EQ(message_of([&] { h.b.move(h.x, to); }),
            "move: bf16[b=1, L=16/r, d=8] to bf16[b=1, L=16/r, d=8] partial t: a value cannot "
            "become a partial "
            "sum");
}

TEST(Move, RefusesWhatTakesTwoCollectives) {
  Hand h;
  const ValueId z = h.b.input(
      "z", Hand::tensor({{DimName::L, 16, {{r}}}, {DimName::d, 8}}, {}, {t}), Role::activation);
  EXPECT_EQ(message_of([&] {
              h.b.move(z, Layout{{DimName::d, {t}}});
            }),
            "move: bf16[L=16/r, d=8] partial t to bf16[L=16, d=8/t]: no single collective does "
            "this; move it in two "
            "steps");
}

TEST(Move, RefusesAnotherDtype) {
  Hand h;
  Type to = h.b.type(h.x);
  to.dtype = DType::f32;
  EXPECT_EQ(
      message_of([&] { h.b.move(h.x, to); }),
      "move: bf16[b=1, L=16/r, d=8] to f32[b=1, L=16/r, d=8]: expected one dtype; cast it first");
}

TEST(Move, RefusesOtherDims) {
  Hand h;
  EXPECT_EQ(message_of([&] { h.b.move(h.x, h.b.type(h.w)); }),
            "move: bf16[b=1, L=16/r, d=8] to bf16[d=8, i=12/t]: expected the same dims");
}

TEST(Input, RefusesADimThatDoesNotDivide) {
  Hand h;
  EXPECT_EQ(message_of([&] {
              h.b.input("z", Hand::tensor({{DimName::L, 10, {{r}, {t}}}}), Role::activation);
            }),
            "z: expected dim L a multiple of 8 to lie in blocks on the 4 ranks of axis t, got 10, "
            "use another size "
            "or fewer ranks");
}

}  // namespace
}  // namespace ithaca
