// A damaged or foreign checkpoint is refused with its reason, and left as it is.
#include "tests/train/scratch.h"
#include "train/checksum.h"

#include <fmt/format.h>
#include <functional>

namespace ithaca {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

const nlohmann::json facts{{"seed", 1}, {"model", {{"d", 8}, {"name", "tiny"}}}, {"step", 10}};
constexpr const char* manifest = "step-1/manifest.json";

class Damaged : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    small_state().save("step-1", facts);
  }
  static std::string message(const ExpectedState& expected = small_state().expected(facts)) {
    return refusal([&] { load_checkpoint("step-1", expected); });
  }
};

/// Writes the manifest anew, with a checksum that is right.
void forge(const std::function<void(Json&)>& edit) {
  Json json = Json::parse(read_file(manifest));
  json.erase("checksum");
  edit(json);
  std::string text = json.dump(1);
  text.resize(text.size() - 2);
  const std::string checksum = checksum_text(checksum_of(text));
  write_bytes(manifest, text + ",\n \"checksum\": \"" + checksum + "\"\n}\n");
}

TEST_F(Damaged, EveryFlippedByteIsSeen) {
  ASSERT_EQ(message(), "accepted");
  int bytes = 0;
  for (const char* const name : {"manifest.json", "rank-00000.bin", "rank-00001.bin"}) {
    const std::string path = std::string("step-1/") + name, good = read_file(path);
    for (std::size_t i = 0; i < good.size(); ++i, ++bytes) {
      for (const int flip : {1 << (i % 8), 0xff}) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ flip);
        write_bytes(path, bad);
        const std::string said = message();
        EXPECT_TRUE(said.starts_with(path + ": ")) << path << " byte " << i << said;
        EXPECT_EQ(said.find('\n'), std::string::npos) << said;
      }
    }
    write_bytes(path, good);
  }
  EXPECT_GT(bytes, 700);
  EXPECT_EQ(message(), "accepted");
}

TEST_F(Damaged, EveryTruncationAndExtensionIsSeen) {
  for (const char* const name : {"manifest.json", "rank-00000.bin", "rank-00001.bin"}) {
    const std::string path = std::string("step-1/") + name, good = read_file(path);
    for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
      write_bytes(path, good.substr(0, bytes));
      const std::string said = message();
      EXPECT_TRUE(said.starts_with(path + ": ")) << path << " at " << bytes << said;
    }
    for (const std::string& more : {std::string("\n"), std::string(1, '\0'), good}) {
      write_bytes(path, good + more);
      EXPECT_TRUE(message().starts_with(path + ": ")) << path << message();
    }
    write_bytes(path, good);
  }
}

TEST_F(Damaged, FilesSaySoInOneExactLine) {
  const std::string good = read_file("step-1/rank-00001.bin");
  const auto after = [&](const std::function<void()>& damage) {
    write_bytes("step-1/rank-00001.bin", good);
    damage();
    return message();
  };
  EXPECT_EQ(after([] { fs::remove("step-1/rank-00001.bin"); }),
            "step-1/rank-00001.bin: expected 20 bytes, got no such file, use another checkpoint");
  EXPECT_EQ(after([] { fs::resize_file("step-1/rank-00001.bin", 19); }),
            "step-1/rank-00001.bin: expected 20 bytes, got 19, use another checkpoint");
  std::string bad = good;
  bad[3] = static_cast<char>(bad[3] ^ 1);
  EXPECT_EQ(
      after([&] { write_bytes("step-1/rank-00001.bin", bad); }),
      fmt::format("step-1/rank-00001.bin: expected checksum {}, got {}, use another checkpoint",
                  checksum_text(checksum_of(good)), checksum_text(checksum_of(bad))));
  EXPECT_EQ(after([] {
              fs::remove("step-1/rank-00001.bin");
              fs::create_directory("step-1/rank-00001.bin");
            }),
            "step-1/rank-00001.bin: expected 20 bytes, got no such file, use another checkpoint");
}

TEST_F(Damaged, ManifestsSaySoInOneExactLine) {
  const std::string good = read_file(manifest), checksum = good.substr(good.size() - 20, 16);
  write_bytes(manifest, good.substr(0, good.size() / 2));
  EXPECT_EQ(message(),
            "step-1/manifest.json: expected the manifest of a checkpoint, which ends in its "
            "checksum, got another or a truncated file, use another checkpoint");
  write_bytes(manifest, good.substr(0, good.size() - 1));
  EXPECT_EQ(message(),
            "step-1/manifest.json: checksum: expected \"" + checksum +
                "\" and the end of the file, got a damaged file, use another checkpoint");
  fs::remove(manifest);
  EXPECT_EQ(message(),
            "step-1/manifest.json: expected the manifest of a checkpoint, got no such file, name a "
            "directory such as step-00000010");
  fs::remove_all("step-1");
  EXPECT_TRUE(message().starts_with("step-1/manifest.json: ")) << message();
  write_bytes("step-1", "a file");
  EXPECT_TRUE(message().starts_with("step-1/manifest.json: ")) << message();
}

TEST_F(Damaged, OtherVersionsSaySoInOneExactLine) {
  const auto after = [](const std::function<void(Json&)>& edit) {
    const std::string good = read_file(manifest);
    forge(edit);
    const std::string said = message();
    write_bytes(manifest, good);
    return said;
  };
  ASSERT_EQ(after([](Json&) {}), "accepted");
  EXPECT_EQ(
      after([](Json& json) { json["schema"] = "ithaca/2"; }),
      "step-1/manifest.json: schema: expected \"ithaca/1\", got \"ithaca/2\", use the version "
      "of ithaca that wrote it");
  EXPECT_EQ(after([](Json& json) { json.erase("kind"); }),
            "step-1/manifest.json: kind: expected \"checkpoint\", got null, use the version of "
            "ithaca that wrote it");
}

TEST_F(Damaged, ManifestsThatMakeNoSenseAreRefusedEvenWithARightChecksum) {
  const std::string good = read_file(manifest);
  const std::vector<std::function<void(Json&)>> edits{
      [](Json& json) { json.erase("facts"); },
      [](Json& json) { json["mesh"] = 3; },
      [](Json& json) {
        json["mesh"][0] = {"u", 0};
      },
      [](Json& json) {
        json["mesh"][0] = {"u", 3};
      },
      [](Json& json) {
        json["mesh"][0] = {"w", 2};
      },
      [](Json& json) { json["files"].erase(1); },
      [](Json& json) { json["files"][1]["rank"] = 0; },
      [](Json& json) { json["files"][1]["rank"] = 2; },
      [](Json& json) { json["files"][0]["rank"] = -1; },
      [](Json& json) { json["files"][0]["bytes"] = 1e30; },
      [](Json& json) { std::swap(json["files"][0]["bytes"], json["files"][1]["bytes"]); },
      [](Json& json) { json["tensors"].push_back(json["tensors"][0]); },
      [](Json& json) { json["tensors"][0]["name"] = 7; },
      [](Json& json) { json["tensors"][0]["dtype"] = "bf16"; },
      [](Json& json) {
        json["tensors"][0]["flat"] = {"u", "u"};
      },
      [](Json& json) { json["tensors"][0]["dims"][0]["size"] = -3; },
      [](Json& json) { json["tensors"][1]["dims"][0]["over"][0][1] = "heaps"; },
      [](Json& json) { json["tensors"][1]["dims"][0]["over"][0][0] = "v"; },
      [](Json& json) { json["tensors"][1]["dims"] = Json(7, json["tensors"][1]["dims"][1]); },
      [](Json& json) { json["tensors"] = Json::object(); }};
  for (std::size_t i = 0; i < edits.size(); ++i) {
    forge(edits[i]);
    const std::string said = message();
    EXPECT_TRUE(said.starts_with("step-1/")) << i << said;
    EXPECT_EQ(said.find('\n'), std::string::npos) << said;
    write_bytes(manifest, good);
  }
}

TEST_F(Damaged, AForeignStateIsRefusedWithWhatDiffers) {
  using enum DimName;
  const auto other = [](const std::function<void(ExpectedState&)>& edit) {
    ExpectedState expected = small_state().expected(facts);
    edit(expected);
    return message(expected);
  };
  EXPECT_EQ(
      other([](ExpectedState& e) { e.facts["model"]["d"] = 16; }),
      "step-1/manifest.json: facts.model.d: expected 16, got 8, use a checkpoint of this run");
  EXPECT_EQ(other([](ExpectedState& e) { e.facts["model"] = "tiny"; }),
            "step-1/manifest.json: facts.model: expected \"tiny\", got "
            "{\"d\":8,\"name\":\"tiny\"}, use a checkpoint of this run");
  EXPECT_EQ(
      other([](ExpectedState& e) { e.facts["data"] = "x.txt"; }),
      "step-1/manifest.json: facts.data: expected \"x.txt\", got nothing, use a checkpoint of "
      "this run");
  EXPECT_EQ(other([](ExpectedState& e) { e.tensors["w"].dims[1].size = 4; }),
            "step-1/manifest.json: tensors.w: expected f32[2, 4], got f32[2, 3], use a checkpoint "
            "of this model");
  EXPECT_EQ(other([](ExpectedState& e) { e.tensors["w"].dtype = DType::f64; }),
            "step-1/manifest.json: tensors.w: expected f64[2, 3], got f32[2, 3], use a checkpoint "
            "of this model");
  EXPECT_EQ(other([](ExpectedState& e) {
              e.tensors["v"] = {DType::f32, {{d, 2}}};
            }),
            "step-1/manifest.json: tensors.v: expected f32[2], got nothing, use a checkpoint of "
            "this model");
  EXPECT_EQ(
      other([](ExpectedState& e) { e.tensors.erase("m"); }),
      "step-1/manifest.json: tensors.m: expected no such tensor, got f64[3], use a checkpoint "
      "of this model");
}

TEST_F(Damaged, ARefusalAndALoadChangeNothingOnDisk) {
  fs::create_directory(".step-2.new.checkpoint.tmp");
  const auto whole = listing(".");
  EXPECT_EQ(message(), "accepted");
  EXPECT_NE(message(small_state().expected({{"seed", 2}})), "accepted");
  latest_checkpoint(".");
  EXPECT_EQ(listing("."), whole);
  fs::resize_file("step-1/rank-00001.bin", 3);
  const auto cut = listing(".");
  EXPECT_NE(message(), "accepted");
  fs::remove("step-1/rank-00000.bin");
  const auto gone = listing(".");
  EXPECT_NE(message(), "accepted");
  EXPECT_EQ(listing("."), gone);
  EXPECT_NE(cut, gone);
}

}  // namespace
}  // namespace ithaca
