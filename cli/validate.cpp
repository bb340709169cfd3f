#include "cli/verb.h"
#include "models/error.h"
#include "reports/accuracy_files.h"
#include "reports/accuracy_page.h"

#include <fmt/format.h>
#include <optional>

namespace ithaca {
namespace {

class ValidateVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    app_->add_option(
            "--data", data_,
            "folder of published rows, its collectives/ and kernels/ (those that are shipped)")
        ->type_name("DIR");
    app_->add_option(
            "--gate", gate_,
            "exit 4 when the median error of time of the rows that count is above, such as 0.1")
        ->type_name("FRACTION");
    app_->add_flag("--json", json_, "for scripts, schema ithaca/1");
    app_->add_option("-o,--output", output_,
                     "folder for accuracy.html, .png, .md and .csv, and the pages of each part")
        ->type_name("DIR");
    app_->footer("Example:\n  ithaca validate\n  ithaca validate --data measurements -o accuracy");
  }

  int run(Console& console) override {
    const std::optional<double> gate = this->gate();
    const PublishedAccuracy all = predicted(console);
    if (!output_.empty())
      if (const std::string problem = write_accuracy(all, output_); !problem.empty())
        console.note(problem);
    const bool passed = passes(all.time, gate, console);
    console.result(json_ ? text_of(accuracy_json(all)) : accuracy_summary(all));
    return passed ? Exit::ok : Exit::unverified;
  }

 private:
  /// Above 0; nothing when there is none.
  std::optional<double> gate() const {
    if (gate_.empty()) return std::nullopt;
    std::size_t read = 0;
    double gate = 0;
    try {
      gate = std::stod(gate_, &read);
    } catch (const std::exception&) {
      read = 0;
    }
    if (read != gate_.size() || !(gate >= 0 && gate <= 1e9))
      throw InputError("--gate", fmt::format("expected a fraction such as 0.1, got \"{}\"", gate_));
    return gate;
  }

  static bool passes(const TimeAccuracy& time, std::optional<double> gate, Console& console) {
    const ErrorStatistics all = time_statistics(time, "");
    if (!gate || (all.rows > 0 && all.median <= *gate)) return true;
    console.note(all.rows == 0
                     ? "no row counts, so the gate is not passed"
                     : fmt::format("the median error of time, {:.3f}, is above the gate {:g}",
                                   all.median, *gate));
    return false;
  }

  PublishedAccuracy predicted(Console& console) const {
    const Progress progress(console, "predicting what others measured");
    return published_accuracy(data_.empty() ? published_folder() : data_);
  }

  std::string data_, output_, gate_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_validate(CLI::App& root) {
  auto verb = std::make_unique<ValidateVerb>(root.add_subcommand(
      "validate", "Predictions beside published measurements, and how wrong they are"));
  verb->define();
  return verb;
}

}  // namespace ithaca
