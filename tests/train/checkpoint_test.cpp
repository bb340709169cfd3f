#include "tests/train/scratch.h"
#include "train/checksum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace ithaca {
namespace {

using enum DimName;
using Json = nlohmann::json;
namespace fs = std::filesystem;

class CheckpointFile : public Scratch {};

const Mesh grid({{"r", 2}, {"u", 2}});
const Axis r = grid.axis("r"), u = grid.axis("u");

/// Every kind of type a state may have, on the grid.
std::map<std::string, Type> types_of(DType dtype) {
  return {{"copies", {dtype, {{d, 3}, {i, 5}}}},
          {"scalar", {dtype, {}}},
          {"cut", {dtype, {{d, 4, {{u}}}, {i, 3}}}},
          {"cut_twice", {dtype, {{d, 8, {{r}, {u}}}, {i, 3}}}},
          {"cut_minor_first", {dtype, {{d, 8, {{u}, {r}}}, {i, 3}}}},
          {"two_dims", {dtype, {{d, 4, {{u}}}, {i, 6, {{r}}}}}},
          {"dealt", {dtype, {{L, 8, {{u, Deal::zigzag}, {r, Deal::stripes}}}, {d, 2}}}},
          {"flat", {dtype, {{d, 5}}, {r, u}}},
          {"flat_short", {dtype, {{d, 2}}, {r, u}}},
          {"flat_of_cut", {dtype, {{d, 2, {{r}}}, {i, 3}}, {u}}},
          {"flat_and_copies", {dtype, {{d, 5}}, {u}}}};
}

/// Numbers of any size, and the odd ones.
HostTensor wild(const Type& t, std::uint64_t seed) {
  using Limits = std::numeric_limits<float>;
  const HostTensor odd{-0.0,
                       Limits::infinity(),
                       -Limits::infinity(),
                       Limits::denorm_min(),
                       Limits::max(),
                       Limits::quiet_NaN(),
                       0.1};
  std::mt19937_64 random(seed);
  HostTensor x(static_cast<std::size_t>(global_elements(t)));
  for (double& value : x) {
    const std::uint64_t bits = random();
    value = bits % 2 == 0 ? odd[bits / 2 % odd.size()] : std::bit_cast<double>(bits >> 2);
    if (t.dtype == DType::f32) value = static_cast<double>(static_cast<float>(value));
  }
  return x;
}

std::vector<std::uint64_t> bits(const HostTensor& x) {
  std::vector<std::uint64_t> all;
  for (const double value : x) all.push_back(std::bit_cast<std::uint64_t>(value));
  return all;
}

TEST_F(CheckpointFile, GivesEveryKindOfTensorBackToTheBit) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    State state(grid);
    std::map<std::string, HostTensor> wholes;
    for (const auto& [name, type] : types_of(dtype)) {
      wholes[name] = wild(type, wholes.size());
      state.add(name, type, wholes[name]);
    }
    state.save("step-1", Json::object());
    const Checkpoint checkpoint = load_checkpoint("step-1", state.expected());
    ASSERT_EQ(checkpoint.tensors.size(), wholes.size());
    for (const auto& [name, whole] : wholes)
      EXPECT_EQ(bits(checkpoint.tensors.at(name)), bits(whole)) << name;
  }
}

TEST_F(CheckpointFile, GoesOnOnAnotherMeshWithTheSlicesThatMeshWouldHaveHad) {
  const Mesh four({{"u", 4}}), one;
  const Type t{DType::f32, {{d, 8, {{four.axis("u")}}}, {i, 3}}};
  const Type flat{DType::f64, {{d, 7}}, {four.axis("u")}};
  State state(four);
  state.add("t", t, counting(t));
  state.add("flat", flat, counting(flat));
  state.save("step-1", Json::object());
  const Type t_grid{DType::f32, {{d, 8, {{u}}}, {i, 3}}, {r}}, t_one{DType::f32, {{d, 8}, {i, 3}}};
  const Type flat_grid{DType::f64, {{d, 7}}, {u}}, flat_one{DType::f64, {{d, 7}}};
  const Checkpoint on_grid = load_checkpoint("step-1", {{{"t", t_grid}, {"flat", flat_grid}}});
  for (int rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(slice_of(on_grid.tensors.at("t"), t_grid, grid, rank),
              slice_of(counting(t), t_grid, grid, rank));
    EXPECT_EQ(slice_of(on_grid.tensors.at("flat"), flat_grid, grid, rank),
              slice_of(counting(flat), flat_grid, grid, rank));
  }
  const Checkpoint alone = load_checkpoint("step-1", {{{"t", t_one}, {"flat", flat_one}}});
  EXPECT_EQ(alone.tensors.at("t"), counting(t));
  EXPECT_EQ(alone.tensors.at("flat"), counting(flat));
}

TEST_F(CheckpointFile, WritesCopiesAndPaddingNowhere) {
  State state(grid);
  const Type copies{DType::f64, {{d, 3}}}, flat{DType::f64, {{d, 5}}, {r, u}};
  state.add("copies", copies, counting(copies));
  state.add("flat", flat, counting(flat));
  state.save("step-1", Json::object());
  EXPECT_EQ(fs::file_size("step-1/rank-00000.bin"), 5U * 8);
  EXPECT_EQ(fs::file_size("step-1/rank-00001.bin"), 2U * 8);
  EXPECT_EQ(fs::file_size("step-1/rank-00002.bin"), 1U * 8);
  EXPECT_FALSE(fs::exists("step-1/rank-00003.bin"));
  for (auto& [name, slices] : state.slices()) slices[3].assign(slices[3].size(), std::byte{0xff});
  state.save("step-2", Json::object());
  EXPECT_EQ(read_file("step-1/manifest.json"), read_file("step-2/manifest.json"));
}

TEST_F(CheckpointFile, GivesFactsBackAndNumbersInThemExactly) {
  const Json facts{{"step", 10},
                   {"seed", ~std::uint64_t{0}},
                   {"model", {{"d", 8}, {"norm", "rms \"x\"\n"}}},
                   {"loss", {0.1, 1e-300, 3.0, std::nextafter(1.0, 2.0)}}};
  small_state().save("step-1", facts);
  const Json got = load_checkpoint("step-1", small_state().expected()).facts;
  EXPECT_EQ(got, facts);
  EXPECT_EQ(got.at("loss").at(3).get<double>(), std::nextafter(1.0, 2.0));
}

TEST_F(CheckpointFile, FactsThatMustBeEqualMayBeSomeAndOddOnes) {
  const Json odd{{"loss", std::numeric_limits<double>::infinity()}, {"path", "a\xff"}, {"x", 1}};
  small_state().save("step-1", odd);
  EXPECT_NO_THROW(load_checkpoint("step-1", small_state().expected(odd)));
  EXPECT_NO_THROW(load_checkpoint("step-1", small_state().expected({{"x", 1}})));
}

TEST_F(CheckpointFile, OfNoTensorsIsOne) {
  State(Mesh()).save("step-1", {{"step", 1}});
  EXPECT_EQ(load_checkpoint("step-1", {{}, {{"step", 1}}}).tensors.size(), 0U);
}

TEST_F(CheckpointFile, IsValidJsonOfTheProjectsSchema) {
  small_state().save("step-1", {{"step", 1}});
  const Json json = Json::parse(read_file("step-1/manifest.json"));
  EXPECT_EQ(json.at("schema"), "ithaca/1");
  EXPECT_EQ(json.at("kind"), "checkpoint");
  EXPECT_EQ(json.at("files").size(), 2U);
}

TEST_F(CheckpointFile, AStateThatCannotBeKeptIsABug) {
  const Type partial{DType::f64, {{d, 4}}, {}, {u}}, half{DType::bf16, {{d, 4}}};
  const std::vector<std::byte> bytes(32), few(8);
  const auto save = [](const Type& type, const std::vector<std::byte>& slice) {
    save_checkpoint("x", grid, {{"w", type, {slice, slice, slice, slice}}}, Json::object());
  };
  EXPECT_DEATH(save(partial, bytes), "without addends");
  EXPECT_DEATH(save(half, bytes), "f32 and f64");
  EXPECT_DEATH(save({DType::f64, {{d, 3, {{u}}}}}, bytes), "keeps");
  EXPECT_DEATH(save({DType::f64, {{d, 4, {{u}}}}, {u}}, few), "keeps");
  EXPECT_DEATH(save({DType::f64, {{d, 4}}}, few), "slices as the type says");
  EXPECT_DEATH(small_state().save("x", Json::array()), "facts are an object");
}

TEST_F(CheckpointFile, LatestIsTheOneOfMostSteps) {
  EXPECT_EQ(latest_checkpoint("none"), std::nullopt);
  EXPECT_EQ(latest_checkpoint("."), std::nullopt);
  for (const std::int64_t steps : {9, 10, 2})
    small_state().save(checkpoint_name(steps), Json::object());
  EXPECT_EQ(latest_checkpoint("."), "./step-00000010");
  small_state().save(checkpoint_name(1234567890), Json::object());
  EXPECT_EQ(latest_checkpoint("."), "./step-1234567890");
}

TEST_F(CheckpointFile, LatestPassesByWhatIsNoCheckpoint) {
  small_state().save("step-00000003", Json::object());
  for (const char* const name : {"step-00000004", "step-", "step-5x", "step--6", "other-7",
                                 "step-99999999999999999999", ".step-8.new.checkpoint.tmp"}) {
    fs::create_directory(name);
    if (std::string(name) != "step-00000004") write_bytes(name + std::string("/manifest.json"), "");
  }
  write_bytes("step-00000009", "a file");
  EXPECT_EQ(latest_checkpoint("."), "./step-00000003");
  EXPECT_EQ(refusal([] { latest_checkpoint("step-00000009"); }),
            "step-00000009: expected a folder of checkpoints, got: Not a directory");
}

TEST_F(CheckpointFile, PruneKeepsTheLatestAndWhatIsNotOurs) {
  for (std::int64_t steps = 1; steps <= 5; ++steps)
    small_state().save(checkpoint_name(steps), Json::object());
  fs::create_directory("step-00000000");
  fs::create_directory(".step-00000007.new.checkpoint.tmp");
  write_bytes("notes.checkpoint.tmp", "mine");
  prune_checkpoints(".", 2);
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(".")) left.push_back(entry.path().filename());
  std::ranges::sort(left);
  EXPECT_EQ(left, (std::vector<std::string>{"notes.checkpoint.tmp", "step-00000000",
                                            "step-00000004", "step-00000005"}));
  prune_checkpoints(".", 2);
  EXPECT_EQ(latest_checkpoint("."), "./step-00000005");
}

TEST_F(CheckpointFile, SavingAgainReplacesAndClearsWhatAKilledRunLeft) {
  small_state(1).save("step-1", {{"from", 1}});
  fs::create_directory(".step-1.new.checkpoint.tmp");
  write_bytes(".step-1.new.checkpoint.tmp/rank-00000.bin", "half");
  small_state(5).save("step-1/", {{"from", 5}});
  const Checkpoint checkpoint = load_checkpoint("step-1", small_state().expected());
  EXPECT_EQ(checkpoint.facts.at("from"), 5);
  EXPECT_EQ(checkpoint.tensors.at("m"), (HostTensor{5, 6, 7}));
  EXPECT_EQ(std::distance(fs::directory_iterator("."), {}), 1);
}

TEST(Crc64, IsTheOneOfXz) {
  EXPECT_EQ(checksum_of("123456789"), 0x995dc9bbdf1939faU);
  EXPECT_EQ(checksum_text(0xabc), "0000000000000abc");
}

}  // namespace
}  // namespace ithaca
