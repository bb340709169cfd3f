#include "reports/report.h"

#include "models/error.h"
#include "planner/plan_file.h"
#include "reports/draw.h"
#include "reports/report_data.h"
#include "sim/schedule.h"
#include "sim/time.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <unistd.h>

namespace ithaca {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Replaces a variable of the environment and puts the old value back.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_)
      setenv(name_, before_->c_str(), 1);
    else
      unsetenv(name_);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::map<std::string, std::string>> read_csv(const fs::path& path) {
  std::ifstream in(path);
  std::vector<std::string> header;
  std::vector<std::map<std::string, std::string>> rows;
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> cells(1);
    bool quoted = false;
    for (const char c : line) {
      if (c == '"')
        quoted = !quoted;
      else if (c == ',' && !quoted)
        cells.emplace_back();
      else if (c != '\r')
        cells.back() += c;
    }
    if (header.empty()) {
      header = cells;
      continue;
    }
    rows.emplace_back();
    for (std::size_t i = 0; i < header.size(); ++i) rows.back()[header[i]] = cells.at(i);
  }
  return rows;
}

class Report : public testing::Test {
 protected:
  void SetUp() override {
    home = fs::temp_directory_path() / fmt::format("ithaca_report_{}", getpid());
    fs::remove_all(home);
    fs::create_directories(home);
    planned.cluster = "dgx-a100-80g";
    planned.strategy = "ring_zero3(r)";
    planned.mesh = Mesh({{"r", 4}});
    planned.recompute = true;
    planned.step_s = 1;
    planned.peak_bytes = planned.sent_bytes = 1;
    Job& job = planned.job;
    job.model = "small <b>&";
    job.shape.L = 16384;
    job.shape.d = 512;
    job.shape.k = 4;
    job.shape.g = 2;
    job.shape.e = 64;
    job.shape.i = 1024;
    job.layers = 3;
    job.cluster = load_cluster(planned.cluster);
    job.gpus = 4;
  }
  void TearDown() override { fs::remove_all(home); }

  std::string file(const std::string& name, const std::string& text) const {
    write_file((home / name).string(), text);
    return (home / name).string();
  }
  std::string plan_path() const { return file("plan.yaml", to_yaml(planned)); }
  fs::path out() const { return home / "out"; }
  std::string write(const std::vector<std::string>& files) const {
    return write_report({files, out().string(), 0, false}).html;
  }
  std::string draw(const std::vector<std::string>& files) const {
    return write_report({files, out().string(), 0, true}).html;
  }

  /// What `run` leaves: the counts of a real layer, all of them measured.
  static Json run_json() {
    Json run{{"schema", "ithaca/1"},   {"kind", "run"},
             {"plan", Json::object()}, {"shape", {{"b", 1}, {"L", 64}}},
             {"mesh", {{"u", 2}}},     {"strategy", "ulysses_zero3(u)"},
             {"dtype", "f64"},         {"verified", true}};
    run["collectives"] = {{{"phase", "fwd"},
                           {"kind", "all_to_all"},
                           {"axes", {"u"}},
                           {"tensor", "q"},
                           {"calls", 1},
                           {"predicted_bytes", 7168},
                           {"measured_bytes", 7168}}};
    run["max_relative_error"] = {{"y", 3e-16}, {"dx", 0.0}};
    run["live_bytes"] = {{"predicted", 123456}, {"measured", 123456}};
    run["sent_bytes"] = {{"predicted", 7168}, {"measured", 7168}};
    run["spans"] = {{{"rank", 0},
                     {"step", 0},
                     {"name", "einsum q"},
                     {"lane", "compute"},
                     {"phase", "fwd"},
                     {"begin_s", 0.0},
                     {"end_s", 0.001}},
                    {{"rank", 1},
                     {"step", 1},
                     {"name", "all_to_all q"},
                     {"lane", 1},
                     {"phase", "fwd"},
                     {"begin_s", 0.001},
                     {"end_s", 0.002}}};
    return run;
  }

  std::string refusal(const std::vector<std::string>& files) const {
    try {
      write(files);
    } catch (const InputError& e) {
      EXPECT_FALSE(fs::exists(out()));
      for (const fs::directory_entry& entry : fs::directory_iterator(home))
        EXPECT_NE(entry.path().extension(), ".tmp");
      return e.what();
    }
    return "";
  }
  std::string refusal_of_run(const Json& run) const {
    const std::string message = refusal({file("run.json", run.dump())});
    EXPECT_EQ(message.find('\n'), std::string::npos);
    return message.substr(std::min(message.size(), home.string().size() + 1));
  }

  fs::path home;
  PlanFile planned;
};

bool can_draw() {
  return run_command({"python3", "-c", "import matplotlib"}, "/dev/null") == 0 ||
         run_command({"/usr/bin/python3", "-c", "import matplotlib"}, "/dev/null") == 0;
}

TEST_F(Report, OfAPlanAloneHasEveryFile) {
  const std::string html = write({plan_path()});
  EXPECT_EQ(html, (out() / "index.html").string());
  for (const char* name : {"index.html", "report.md", "report.json", "ranking.csv", "volume.csv",
                           "best.csv", "memory.csv", "timeline.csv"})
    EXPECT_TRUE(fs::exists(out() / name)) << name;
  EXPECT_FALSE(fs::exists(out() / "predicted_measured.csv"));
  EXPECT_FALSE(fs::exists(out() / "figures.log"));
}

TEST_F(Report, JsonSpellsMeshesAndRecomputeAsOtherVerbsDo) {
  write({plan_path(), file("run.json", run_json().dump())});
  const Json json = Json::parse(read(out() / "report.json"));
  EXPECT_EQ(json.at("plan").at("mesh"), (Json{{"r", 4}}));
  EXPECT_EQ(json.at("plan").at("recompute"), "full");
  EXPECT_EQ(json.at("runs").at(0).at("mesh"), (Json{{"u", 2}}));
  for (const char* const list : {"ranking", "memory"}) {
    EXPECT_FALSE(json.at(list).empty());
    for (const Json& item : json.at(list)) {
      EXPECT_TRUE(item.at("mesh").is_object());
      EXPECT_TRUE(item.at("recompute") == "full" || item.at("recompute") == "none");
    }
  }
}

TEST_F(Report, VolumeEqualsCount) {
  write({plan_path()});
  const auto rows = read_csv(out() / "volume.csv");
  EXPECT_EQ(rows.size(), published_strategies().size() * lengths_around(16384).size());
  for (const auto& row : rows) {
    LayerShape shape = planned.job.shape;
    shape.L = std::stoll(row.at("seq"));
    const Arrangement a =
        arrange(row.at("strategy"), default_mesh(row.at("strategy"), 4, shape), shape);
    const SentBytes sent = count(layer_program(shape, a.strategy, a.mesh).program).sent_bytes();
    EXPECT_EQ(std::stoll(row.at("sent_bytes")), sent.total())
        << row.at("strategy") << ' ' << shape.L;
    EXPECT_EQ(std::stoll(row.at("weight_bytes")), sent.weight);
  }
}

TEST_F(Report, MemoryBarsAddUpToThePricedPeak) {
  write({plan_path()});
  const auto rows = read_csv(out() / "memory.csv");
  EXPECT_EQ(rows.size(), 3 + 2 * published_strategies().size());
  for (const auto& row : rows) {
    std::int64_t sum = 0;
    for (const auto& [column, cell] : row)
      if (column.ends_with("_bytes") && column != "peak_bytes") sum += std::stoll(cell);
    const PricedStrategy p = price(planned.job, row.at("strategy"), parse_mesh(row.at("mesh")),
                                   row.at("recompute") == "full");
    EXPECT_EQ(sum, p.peak_bytes());
    EXPECT_EQ(std::stoll(row.at("peak_bytes")), p.peak_bytes());
  }
}

TEST_F(Report, MapOfTheJobsOwnCellIsThePlan) {
  write({plan_path()});
  const Ranked best = plan(planned.job).ranking.at(0);
  int found = 0;
  for (const auto& row : read_csv(out() / "best.csv"))
    if (row.at("gpus") == "4" && row.at("seq") == "16384") {
      ++found;
      EXPECT_EQ(row.at("strategy"), best.choice.expression());
      EXPECT_EQ(std::stoll(row.at("peak_bytes")), best.peak_bytes);
    }
  EXPECT_EQ(found, 1);
}

TEST_F(Report, TimelineEndsWithTheLayer) {
  write({plan_path()});
  double end_s = 0;
  for (const auto& row : read_csv(out() / "timeline.csv"))
    end_s = std::max(end_s, std::stod(row.at("end_s")));
  const PricedStrategy p = price(planned.job, planned.strategy, planned.mesh, true);
  const Layer layer = layer_of(planned.job, p.arrangement, true);
  EXPECT_DOUBLE_EQ(
      end_s,
      time(layer.program, overlapped(layer.program), ClusterCost(planned.job.cluster)).end_s);
}

TEST_F(Report, HtmlLoadsNothing) {
  const std::string html = read(draw({plan_path(), file("run.json", run_json().dump())}));
  EXPECT_EQ(html.find("http"), std::string::npos);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_EQ(html.find("src="), std::string::npos);
  EXPECT_EQ(html.find("@import"), std::string::npos);
  EXPECT_EQ(html.find("small <b>&"), std::string::npos);
  EXPECT_NE(html.find("small &lt;b&gt;&amp;"), std::string::npos);
}

TEST_F(Report, HtmlHoldsEveryPicture) {
  if (!can_draw()) GTEST_SKIP() << "no python3 with matplotlib";
  const std::string html = read(draw({plan_path(), file("run.json", run_json().dump())}));
  for (const std::string name :
       {"volume", "best", "memory", "timeline", "measured_1", "timeline_run_1"}) {
    EXPECT_NE(html.find(fmt::format("id=\"{}-figure_1\"", name)), std::string::npos) << name;
    EXPECT_TRUE(fs::exists(out() / (name + ".png"))) << name;
    EXPECT_TRUE(fs::exists(out() / (name + ".svg"))) << name;
  }
}

TEST_F(Report, IsTheSameTwice) {
  const std::vector<std::string> files{file("run.json", run_json().dump())};
  const std::string first = read(draw(files));
  EXPECT_EQ(read(draw(files)), first);
}

TEST_F(Report, ShowsPredictedBesideMeasured) {
  Json run = run_json();
  run["collectives"][0]["measured_bytes"] = 7169;
  run["verified"] = false;
  const std::string html = read(write({plan_path(), file("run.json", run.dump())}));
  EXPECT_NE(html.find("NOT verified"), std::string::npos);
  EXPECT_NE(html.find("<td class=\"right\">7,168</td><td class=\"right\">7,169</td>"),
            std::string::npos);
  EXPECT_NE(html.find("✗ different"), std::string::npos);
  const auto rows = read_csv(out() / "predicted_measured.csv");
  EXPECT_EQ(rows.at(0).at("predicted"), "7168");
  EXPECT_EQ(rows.at(0).at("measured"), "7169");
}

TEST_F(Report, SaysWhenARunIsOfAnotherPlan) {
  Json run = run_json();
  const std::string note = "This run is not of the plan above, which is ring_zero3(r) on r=4.";
  EXPECT_NE(read(write({plan_path(), file("run.json", run.dump())})).find(note), std::string::npos);
  run["strategy"] = "ring_zero3(r)";
  run["mesh"] = {{"r", 2}};
  EXPECT_NE(read(write({plan_path(), file("run.json", run.dump())})).find(note), std::string::npos);
  run["mesh"] = {{"r", 4}};
  EXPECT_EQ(read(write({plan_path(), file("run.json", run.dump())})).find("not of the plan"),
            std::string::npos);
}

TEST_F(Report, OfARunAloneIsWritten) {
  const std::string html = read(write({file("run.json", run_json().dump())}));
  EXPECT_NE(html.find("✓ Verified"), std::string::npos);
  EXPECT_FALSE(fs::exists(out() / "ranking.csv"));
  EXPECT_TRUE(fs::exists(out() / "predicted_measured.csv"));
}

TEST_F(Report, SaysWhenThePlanFilePredictedOtherwise) {
  EXPECT_NE(read(write({plan_path()})).find("The plan file predicts 1 s a step"),
            std::string::npos);
  const PricedStrategy now = price(planned.job, planned.strategy, planned.mesh, true);
  planned.step_s = now.time.step_s;
  planned.sent_bytes = now.count.sent_bytes().total();
  EXPECT_EQ(read(write({plan_path()})).find("The plan file"), std::string::npos);
}

TEST_F(Report, WarnsOfRingGradientsInBf16) {
  EXPECT_NE(read(write({plan_path()}))
                .find("In this plan gradients of keys and values are summed in bf16"),
            std::string::npos);
  planned.strategy = "ring_homing_zero3(r)";
  EXPECT_EQ(read(write({plan_path()})).find("In this plan gradients"), std::string::npos);
}

TEST_F(Report, SaysWhyPicturesAreMissing) {
  const Variable path("PATH", "/nowhere");
  const Variable python("ITHACA_PYTHON", "/bin/false");
  const std::string html = read(draw({file("run.json", run_json().dump())}));
  if (run_command({"/usr/bin/python3", "-c", "import matplotlib"}, "/dev/null") == 0)
    EXPECT_NE(html.find("<svg"), std::string::npos) << "the last interpreter is tried";
  else
    EXPECT_NE(html.find("python3-matplotlib"), std::string::npos);
}

TEST_F(Report, IsWrittenWithoutTheDrawingScript) {
  const std::string run = file("run.json", run_json().dump());
  const fs::path data = home / "data";
  fs::create_directories(data);
  const Variable variable("ITHACA_DATA", data.string());
  const std::string html = read(draw({run}));
  EXPECT_EQ(html.find("<svg"), std::string::npos);
  EXPECT_NE(html.find("Pictures are missing: "), std::string::npos);
}

TEST_F(Report, RefusesForeignFilesAndWritesNothing) {
  EXPECT_EQ(refusal({}), "FILE: expected plan.yaml and run.json files, got none");
  EXPECT_EQ(refusal({"/nowhere/plan.yaml"}),
            "/nowhere/plan.yaml: expected plan.yaml or run.json, cannot be read");
  EXPECT_EQ(refusal({home.string()}),
            home.string() + ": expected plan.yaml or run.json, cannot be read");
  EXPECT_NE(refusal({file("plan.yaml", "kind: recipe\n")}).find("plan.yaml:1:1"),
            std::string::npos);
  EXPECT_NE(refusal({plan_path(), plan_path()}).find("expected one plan.yaml, got a second"),
            std::string::npos);
  EXPECT_NE(refusal({file("run.json", run_json().dump().substr(0, 300))}).find("no JSON object"),
            std::string::npos);
}

TEST_F(Report, RefusesIncompleteRuns) {
  Json run = run_json();
  run["kind"] = "report";
  EXPECT_EQ(
      refusal_of_run(run),
      "run.json: kind: expected \"run\", got \"report\", make the file again with `ithaca run`");
  run = run_json();
  run["schema"] = "ithaca/9";
  EXPECT_EQ(refusal_of_run(run),
            "run.json: schema: expected \"ithaca/1\", make the file again with `ithaca run`");
  run = run_json();
  run.erase("live_bytes");
  EXPECT_EQ(
      refusal_of_run(run),
      "run.json: live_bytes: expected a value, got nothing, make the file again with `ithaca run`");
  run = run_json();
  run["collectives"][0]["measured_bytes"] = "7168";
  EXPECT_EQ(refusal_of_run(run),
            "run.json: collectives[0].measured_bytes: expected a whole number from 0, make the "
            "file again with `ithaca run`");
  run = run_json();
  run["mesh"]["u"] = 0;
  EXPECT_EQ(refusal_of_run(run),
            "run.json: mesh.u: expected from 1 to 16777216 ranks, make the file again with `ithaca "
            "run`");
  run = run_json();
  run["spans"][1]["end_s"] = 0.0;
  EXPECT_EQ(
      refusal_of_run(run),
      "run.json: spans[1]: expected an end after the begin, make the file again with `ithaca run`");
}

TEST_F(Report, RefusesAFileAsDirectory) {
  const std::string plan = plan_path();
  EXPECT_THROW(write_report({{plan}, plan, 0}), InputError);
  EXPECT_THROW(write_report({{plan}, "", 0}), InputError);
  EXPECT_EQ(read(plan), to_yaml(planned));
}

TEST_F(Report, KeepsForeignFilesOfItsDirectory) {
  fs::create_directories(out());
  std::ofstream(out() / "notes.txt") << "mine";
  write({file("run.json", run_json().dump())});
  EXPECT_EQ(read(out() / "notes.txt"), "mine");
}

TEST(BestMap, LengthsDoubleAroundTheJobs) {
  EXPECT_EQ(lengths_around(131072), (std::vector<std::int64_t>{8192, 16384, 32768, 65536, 131072,
                                                               262144, 524288, 1048576, 2097152}));
  EXPECT_EQ(lengths_around(600001), (std::vector<std::int64_t>{600001, 1200002}));
  EXPECT_EQ(lengths_around(4096).front(), 4096);
}

TEST(BestMap, NamesFamiliesAndDegrees) {
  const auto term = [](const char* row, const char* axis) {
    return Term{find_row(row), {}, {}, {axis}};
  };
  const Half all{term("ring", "r"), term("ulysses", "u"), term("tp_sp", "t")};
  Choice choice{all, all, Mesh({{"r", 2}, {"u", 4}, {"t", 8}}), false};
  EXPECT_EQ(family_of(choice), "with TP");
  EXPECT_EQ(terms_of(choice), (std::vector<std::string>{"ring 2", "Ulysses 4", "TP-SP 8"}));
  choice = {{term("kv_gather", "r"), term("ulysses", "u")},
            {term("kv_gather", "r"), term("tp_sp", "u")},
            Mesh({{"r", 2}, {"u", 4}}),
            false};
  EXPECT_EQ(family_of(choice), "ring + Ulysses");
  EXPECT_EQ(terms_of(choice), (std::vector<std::string>{"gather 2", "Ulysses 4", "MLP TP-SP"}));
}

}  // namespace
}  // namespace ithaca
