#include "cli/options.h"
#include "cli/verb.h"
#include "models/error.h"
#include "reports/json.h"
#include "reports/render_table.h"

namespace ithaca {
namespace {

class TableVerb : public Verb {
 public:
  using Verb::Verb;

  void define() {
    add_model_options(*app_, o_);
    app_->add_option("-N,--gpus", o_.gpus, "ranks of every strategy (8)")->type_name("N");
    app_->add_option("--ulysses", ulysses_, "of these, Ulysses ranks of usp")->type_name("N");
    add_profile_option(*app_, o_);
    app_->add_flag("--json", o_.json, "for scripts, schema ithaca/1");
    app_->add_flag("--csv", o_.csv, "one line per strategy");
    app_->add_flag("--markdown", o_.markdown, "as in a README");
    app_->add_option("-o,--output", o_.output, "write to a file")->type_name("FILE");
    app_->footer(
        "Example:\n  ithaca table --model llama-3.1-8b --gpus 8 --seq 128k\n"
        "  ithaca table -L 32k -d 4096 -i 14336 -N 4 --kv-heads 8 --csv");
  }

  int run(Console& console) override {
    if (int{o_.json} + int{o_.csv} + int{o_.markdown} > 1)
      throw InputError("--json", "expected one of --json, --csv and --markdown, got several");
    take_default(o_.gpus, "8", "--gpus", console);
    take_default(o_.seq, "131072", "--seq", console);
    const Subject subject = subject_of(o_, console);
    TableRequest request{subject.name,   subject.shape, gpus_of(o_), 0,
                         subject.layers, profile_of(o_)};
    if (!ulysses_.empty())
      request.ulysses = static_cast<int>(whole(ulysses_, "--ulysses", 1, request.degree));
    const StrategyTable table = strategy_table(request);
    console.result(o_.json       ? text_of(table_json(table))
                   : o_.csv      ? table_csv(table)
                   : o_.markdown ? table_markdown(table)
                                 : table_text(table),
                   o_.output);
    return Exit::ok;
  }

 private:
  Options o_;
  std::string ulysses_;
};

}  // namespace

std::unique_ptr<Verb> make_table(CLI::App& root) {
  auto verb = std::make_unique<TableVerb>(
      root.add_subcommand("table",
                          "Every published strategy: collectives, volume, memory; exact "
                          "and as published"));
  verb->define();
  return verb;
}

}  // namespace ithaca
