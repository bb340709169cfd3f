#include "cli/verb.h"
#include "models/error.h"
#include "planner/plan_file.h"
#include "reports/memory_accuracy_text.h"

#include <filesystem>
#include <fmt/format.h>
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
    app_->add_flag("--json", json_, "for scripts, schema ithaca/1");
    app_->add_option("-o,--output", output_,
                     "folder for accuracy_memory.md and accuracy_memory.csv")
        ->type_name("DIR");
    app_->footer("Example:\n  ithaca validate\n  ithaca validate --data measurements -o accuracy");
  }

  int run(Console& console) override {
    const std::vector<PublishedRow> rows =
        published_rows(data_.empty() ? published_folder() : data_);
    MemoryAccuracy accuracy;
    {
      const Progress progress(console, "predicting memory");
      accuracy = memory_accuracy(rows);
    }
    if (!output_.empty()) write(accuracy);
    console.result(json_ ? text_of(memory_json(accuracy)) : memory_summary(accuracy));
    return Exit::ok;
  }

 private:
  void write(const MemoryAccuracy& accuracy) const {
    const fs::path folder(output_);
    if (fs::exists(folder) && !fs::is_directory(folder))
      throw InputError("--output", fmt::format("expected a folder, got the file \"{}\"", output_));
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
      throw EnvironmentError(fmt::format("{}: cannot be written: {}", output_, error.message()));
    write_file((folder / "accuracy_memory.md").string(), memory_markdown(accuracy));
    write_file((folder / "accuracy_memory.csv").string(), memory_csv(accuracy));
  }

  std::string data_, output_;
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
