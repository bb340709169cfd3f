#include "cli/verb.h"
#include "models/error.h"
#include "planner/plan_file.h"
#include "reports/memory_accuracy_text.h"
#include "reports/time_accuracy_text.h"

#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <system_error>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

class ValidateVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    app_->add_option("--data", data_, "folder of published rows (those that are shipped)")
        ->type_name("DIR");
    app_->add_option(
            "--gate", gate_,
            "exit 4 when the median error of time of the rows that count is above, such as 0.1")
        ->type_name("FRACTION");
    app_->add_flag("--json", json_, "for scripts, schema ithaca/1");
    app_->add_option("-o,--output", output_,
                     "folder for accuracy.md and .csv of time, accuracy_memory.md and .csv")
        ->type_name("DIR");
    app_->footer("Example:\n  ithaca validate\n  ithaca validate --data measurements -o accuracy");
  }

  int run(Console& console) override {
    const std::optional<double> gate = this->gate();
    const std::vector<PublishedRow> rows =
        published_rows(data_.empty() ? published_folder() : data_);
    const auto [memory, time] = predict(rows, console);
    if (!output_.empty()) write(memory, time);
    const bool passed = passes(time, gate, console);
    console.result(json_ ? text_of(json_of(memory, time))
                         : time_summary(time) + "\n" + memory_summary(memory));
    return passed ? Exit::ok : Exit::unverified;
  }

 private:
  static Json json_of(const MemoryAccuracy& memory, const TimeAccuracy& time) {
    Json json = memory_json(memory);
    add_time(json, time);
    return json;
  }

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

  static std::pair<MemoryAccuracy, TimeAccuracy> predict(const std::vector<PublishedRow>& rows,
                                                         Console& console) {
    const Progress progress(console, "predicting memory and time");
    return {memory_accuracy(rows), time_accuracy(rows)};
  }

  void write(const MemoryAccuracy& memory, const TimeAccuracy& time) const {
    const fs::path folder(output_);
    if (fs::exists(folder) && !fs::is_directory(folder))
      throw InputError("--output", fmt::format("expected a folder, got the file \"{}\"", output_));
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
      throw EnvironmentError(fmt::format("{}: cannot be written: {}", output_, error.message()));
    write_file((folder / "accuracy.md").string(), time_markdown(time));
    write_file((folder / "accuracy.csv").string(), time_csv(time));
    write_file((folder / "accuracy_memory.md").string(), memory_markdown(memory));
    write_file((folder / "accuracy_memory.csv").string(), memory_csv(memory));
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
