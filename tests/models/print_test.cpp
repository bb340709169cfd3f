// tests/golden/X.txt is the program of one layer under strategy X, and reads as documentation.
// ITHACA_UPDATE_GOLDEN=1 writes the files anew.
#include "models/catalog.h"
#include "models/layer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ithaca {
namespace {

/// Every size is different, so that no dim can be taken for another.
LayerShape small() {
  LayerShape shape;
  shape.L = 64;
  shape.d = 48;
  shape.k = 4;
  shape.g = 2;
  shape.e = 6;
  shape.i = 80;
  return shape;
}

Program layer_of(const std::string& expression) {
  const Mesh mesh = default_mesh(expression, 4, small());
  const Arrangement arrangement = arrange(expression, mesh, small());
  return layer_program(small(), arrangement.strategy, arrangement.mesh).program;
}

std::string content(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, ProgramReadsAsItDid) {
  const auto path = std::filesystem::path(ITHACA_SOURCE_DIR) / "tests/golden" /
                    (std::string(GetParam()) + ".txt");
  const std::string text = print(layer_of(GetParam()));
  if (std::getenv("ITHACA_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(text, content(path)) << "ITHACA_UPDATE_GOLDEN=1 accepts the new text";
}

INSTANTIATE_TEST_SUITE_P(Strategies, Golden,
                         testing::Values("tp", "tp_sp", "ulysses_zero3", "ring_zero3", "usp_zero3",
                                         "odysseus_zero3"));

TEST(Print, GivesEveryStepOneLine) {
  const Program p = layer_of("usp_zero3");
  const std::string text = print(p);
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n'));
  EXPECT_EQ(lines, p.steps().size() + p.inputs().size() + 2);
}

TEST(Print, NamesCollectiveAndAxesOfAMove) {
  Builder b(parse_mesh("t=2"));
  const ValueId x =
      b.input("x", {DType::bf16, {{DimName::b, 1}, {DimName::L, 8}}, {}, {{0}}}, Role::activation);
  b.output(b.move(x, Layout{{DimName::L, {{0}}}}));
  EXPECT_EQ(print(std::move(b).build()),
            "mesh t=2\n"
            "in   %0 x bf16[b=1, L=8] partial t  # activation\n"
            "fwd  %1 x bf16[b=1, L=8/t] = move %0  # reduce_scatter t\n"
            "out  %1\n");
}

}  // namespace
}  // namespace ithaca
