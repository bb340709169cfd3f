#include "reports/report.h"

#include "cli/verb.h"
#include "models/error.h"

#include <fmt/format.h>

namespace ithaca {
namespace {

class ReportVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    app_->add_option("FILE", files_, "plan.yaml and run.json files")->type_name("");
    app_->add_option("-o,--output", output_, "folder of the report")->type_name("DIR");
    app_->footer("Example:\n  ithaca report plan.yaml run.json -o report");
  }

  int run(Console& console) override {
    if (files_.empty())
      throw InputError("ithaca report", "expected plan.yaml and run.json files, got nothing");
    if (output_.empty()) throw InputError("--output", "expected a folder, got nothing");
    WrittenReport report;
    {
      const Progress progress(console, "pricing and drawing");
      report = write_report({files_, output_});
    }
    console.result(fmt::format("{}{}{}\n", report.runs_text,
                               report.runs_text.empty() ? "" : "\nReport: ", report.html));
    return Exit::ok;
  }

 private:
  std::vector<std::string> files_;
  std::string output_;
};

}  // namespace

std::unique_ptr<Verb> make_report(CLI::App& root) {
  auto verb = std::make_unique<ReportVerb>(
      root.add_subcommand("report", "Markdown, HTML, CSV and plots from plans and runs"));
  verb->define();
  return verb;
}

}  // namespace ithaca
