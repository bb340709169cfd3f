#include "models/yaml.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

namespace ithaca {
namespace {

Yaml yaml(const std::string& content) {
  return Yaml::parse(content, "x.yaml");
}

std::string fault_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Yaml, ReadsEveryKindOfValue) {
  const Yaml root = yaml(
      "name: ring\ncount: 3\nshare: 0.5\non: true\nranks: [4, 5]\nmemory: 81920 MiB\n"
      "links:\n  bandwidth: 400 Gb/s\n  latency: 5 us\n  peak: 312 TFLOP/s\n");
  EXPECT_EQ(root.at("name").text(), "ring");
  EXPECT_EQ(root.at("count").integer(), 3);
  EXPECT_EQ(root.at("share").number(), 0.5);
  EXPECT_TRUE(root.at("on").boolean());
  ASSERT_EQ(root.at("ranks").items().size(), 2U);
  EXPECT_EQ(root.at("ranks").items()[1].integer(), 5);
  EXPECT_EQ(root.at("memory").bytes(), 85899345920);
  EXPECT_EQ(root.at("links").at("bandwidth").bandwidth_bytes_per_s(), 50e9);
  EXPECT_DOUBLE_EQ(root.at("links").at("latency").seconds(), 5e-6);
  EXPECT_EQ(root.at("links").at("peak").flops_per_s(), 312e12);
  EXPECT_FALSE(root.find("absent").has_value());
  EXPECT_EQ(root.keys().back(), "links");
}

TEST(Yaml, PlacesCountFromOneAndKeysAreDotted) {
  const Yaml root = yaml("links:\n  - {speed: fast}\n");
  EXPECT_EQ(fault_of([&] { root.at("links").items()[0].at("speed").integer(); }),
            "x.yaml:2:13: links[0].speed: expected a whole number, got \"fast\"");
}

TEST(Yaml, RefusesUnknownKeyWithHint) {
  EXPECT_EQ(fault_of([] {
              yaml("a: 1\nbandwith: 2\n").allow({"a", "bandwidth"});
            }),
            "x.yaml:2:1: unknown key \"bandwith\", did you mean \"bandwidth\"?");
  EXPECT_EQ(fault_of([] {
              yaml("zzzzzz: 2\n").allow({"a", "bandwidth"});
            }),
            "x.yaml:1:1: unknown key \"zzzzzz\", expected one of a, bandwidth");
}

TEST(Yaml, RefusesDuplicateKeysAtAnyDepth) {
  EXPECT_EQ(fault_of([] { yaml("a: 1\nb: 2\na: 3\n"); }), "x.yaml:3:1: duplicate key \"a\"");
  EXPECT_EQ(fault_of([] { yaml("m:\n  a: 1\n  a: 3\n").at("m"); }),
            "x.yaml:3:3: m: duplicate key \"a\"");
}

TEST(Yaml, RefusesWrongKinds) {
  EXPECT_EQ(fault_of([] { yaml("- 1\n").at("a"); }), "x.yaml:1:1: expected a map, got a list");
  EXPECT_EQ(fault_of([] { yaml("a: {b: 1}\n").at("a").items(); }),
            "x.yaml:1:4: a: expected a list, got a map");
  EXPECT_EQ(fault_of([] { yaml("a: [1]\n").at("a").text(); }),
            "x.yaml:1:4: a: expected text, got a list");
  EXPECT_EQ(fault_of([] { yaml("b: 1\na:\n").at("a").integer(); }),
            "x.yaml:2:1: a: expected a whole number, got nothing");
  EXPECT_EQ(fault_of([] { yaml("a: yes\n").at("a").boolean(); }),
            "x.yaml:1:4: a: expected true or false, got \"yes\"");
  EXPECT_EQ(fault_of([] { yaml("[1, 2]: 3\n"); }),
            "x.yaml:1:1: expected a word as key, got a list");
}

TEST(Yaml, RefusesNumbersOutOfRange) {
  EXPECT_EQ(fault_of([] { yaml("a: 0\n").at("a").integer(1, 8); }),
            "x.yaml:1:4: a: expected a whole number from 1 to 8, got \"0\"");
  EXPECT_EQ(fault_of([] { yaml("a: 99999999999999999999\n").at("a").integer(); }),
            "x.yaml:1:4: a: expected a whole number, got \"99999999999999999999\"");
  EXPECT_EQ(fault_of([] { yaml("a: .inf\n").at("a").number(); }),
            "x.yaml:1:4: a: expected a number, got \".inf\"");
  EXPECT_EQ(fault_of([] { yaml("a: nan\n").at("a").number(); }),
            "x.yaml:1:4: a: expected a number, got \"nan\"");
  EXPECT_EQ(fault_of([] { yaml("a: -2\n").at("a").positive(); }),
            "x.yaml:1:4: a: expected a number above 0, got \"-2\"");
}

TEST(Yaml, NamesTheWordsOfAChoice) {
  EXPECT_EQ(fault_of([] {
              yaml("a: sawp\n").at("a").one_of({"swap", "keep"});
            }),
            "x.yaml:1:4: a: expected one of swap, keep, got \"sawp\", did you mean \"swap\"?");
}

TEST(Yaml, RefusesEmptyBrokenAndSecondDocuments) {
  EXPECT_EQ(fault_of([] { yaml(""); }), "x.yaml: expected a map, got an empty file");
  EXPECT_EQ(fault_of([] { yaml("# only a comment\n"); }),
            "x.yaml: expected a map, got an empty file");
  EXPECT_EQ(fault_of([] { yaml("a: [1, 2\n"); }),
            "x.yaml:1:1: not valid YAML: end of sequence flow not found");
  EXPECT_EQ(fault_of([] { yaml("a: \"\\\n\n"); }).find('\n'), std::string::npos);
  EXPECT_EQ(fault_of([] { yaml("a: 1\nb: \"open\nc: 2\n"); }),
            "x.yaml:3:5: not valid YAML: illegal EOF in scalar");
  EXPECT_EQ(yaml("# one\n---\na: 1\n").at("a").integer(), 1);
  EXPECT_EQ(fault_of([] { yaml(","); }), "x.yaml: expected a map, got an empty file");
  EXPECT_EQ(fault_of([] { yaml("a: 1\n---\nb: 2\n"); }),
            "x.yaml:2:1: expected one document, got a second");
}

TEST(Yaml, RefusesWhatCannotBeRead) {
  EXPECT_EQ(fault_of([] { Yaml::file("no/such.yaml"); }),
            "no/such.yaml: expected a readable file, got: No such file or directory");
  const std::string folder = std::filesystem::temp_directory_path().string();
  EXPECT_EQ(fault_of([&] { Yaml::file(folder); }),
            folder + ": expected a readable file, got: Is a directory");
}

}  // namespace
}  // namespace ithaca
