#include "cli/app.h"

#include "cli/verb.h"
#include "models/error.h"
#include "models/nearest.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <new>
#include <vector>

namespace ithaca {
namespace {

constexpr const char* examples =
    "Examples:\n"
    "  ithaca table --model llama-3.1-8b --gpus 8 --seq 128k\n"
    "  ithaca plan --model llama-3.1-8b --cluster dgx-a100-80g --gpus 8 --seq 128k -o plan.yaml\n"
    "  ithaca run plan.yaml --scale 8 --seq 4k -o run.json\n"
    "  ithaca report plan.yaml run.json -o report\n\n"
    "Exit codes: 0 ok, 1 internal, 2 usage or input, 3 no feasible plan, 4 verification failed,\n"
    "5 environment.  Results go to stdout, notes and progress to stderr.";

struct CommandLine {
  CLI::App app{
      "Which parallelism for a long-context transformer: its cost, the best plan, proof by "
      "execution.",
      "ithaca"};
  std::vector<std::unique_ptr<Verb>> verbs;
};

/// Faults of the command line are worded here, so nothing is left to the parser.
void let_us_check(CLI::App& app) {
  app.allow_extras();
  for (CLI::App* const verb : app.get_subcommands({})) let_us_check(*verb);
}

void define(CommandLine& line) {
  CLI::App& app = line.app;
  app.set_version_flag("--version", "ithaca " ITHACA_VERSION, "Print the version and exit");
  app.get_formatter()->column_width(34);
  app.require_subcommand(0, 1);
  app.footer(examples);
  line.verbs.push_back(make_table(app));
  line.verbs.push_back(make_cost(app));
  line.verbs.push_back(make_longest(app));
  line.verbs.push_back(make_plan(app));
  line.verbs.push_back(make_run(app));
  line.verbs.push_back(make_report(app));
  line.verbs.push_back(make_calibrate(app));
  line.verbs.push_back(make_validate(app));
  line.verbs.push_back(make_models(app));
  line.verbs.push_back(make_clusters(app));
  let_us_check(app);
}

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* const verb : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  return names;
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* const option : app.get_options())
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  return flags;
}

/// "ithaca models show"
std::string path_of(const CLI::App& app) {
  const CLI::App* const parent = app.get_parent();
  return parent == nullptr ? app.get_name() : path_of(*parent) + ' ' + app.get_name();
}

[[noreturn]] void refuse_word(const CLI::App& app, const std::string& word) {
  if (word.starts_with("-")) {
    const std::string name = word.substr(0, word.find('='));
    const std::string hint = did_you_mean(name, flags_of(app));
    throw InputError(
        one_line(name).substr(0, 60),
        fmt::format("expected a flag of `{}`{}", path_of(app),
                    hint.empty() ? fmt::format(", see `{} --help`", path_of(app)) : hint));
  }
  const std::vector<std::string> verbs = verbs_of(app);
  if (verbs.empty())
    throw InputError(path_of(app), fmt::format("expected nothing more, got {}, see `{} --help`",
                                               in_quotes(word), path_of(app)));
  throw InputError(path_of(app), fmt::format("expected one of {}, got {}{}", fmt::join(verbs, ", "),
                                             in_quotes(word), did_you_mean(word, verbs)));
}

void check_words(const CLI::App& app) {
  if (const auto extra = app.remaining(); !extra.empty()) refuse_word(app, extra.front());
  for (const CLI::App* const verb : app.get_subcommands()) check_words(*verb);
}

/// The parser's remaining faults in our words: a flag without its value, or twice.
InputError reworded(const CLI::ParseError& e) {
  const std::string text = one_line(e.what());
  const std::string key = text.substr(0, text.find(':'));
  const bool names_flag = key.starts_with("--");
  if (names_flag && text.find("At Most") != std::string::npos)
    return {key, "expected once, got more, leave out all but one"};
  if (names_flag && text.find("missing") != std::string::npos)
    return {key, "expected a value, got nothing"};
  return {"ithaca", fmt::format("{}, see `ithaca --help`", text)};
}

int parse_and_run(CommandLine& line, std::vector<std::string> args, Console& console) {
  std::ranges::reverse(args);  // the parser takes from the back
  try {
    line.app.parse(args);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) throw reworded(e);
    std::ostringstream text, unused;
    (void)line.app.exit(e, text, unused);
    console.result(text.str());
    return Exit::ok;
  }
  check_words(line.app);
  for (const auto& verb : line.verbs)
    if (verb->app().parsed()) return verb->run(console);
  throw InputError("ithaca", fmt::format("expected one of {}, got nothing, see `ithaca --help`",
                                         fmt::join(verbs_of(line.app), ", ")));
}

}  // namespace

int cli_main(std::span<const std::string> args, std::ostream& out, std::ostream& err) {
  const auto fail = [&](const std::string& message, int code) {
    err << one_line(message) << '\n';
    err.flush();
    return code;
  };
  try {
    Console console(out, err);
    CommandLine line;
    define(line);
    return parse_and_run(line, {args.begin(), args.end()}, console);
  } catch (const InputError& e) {
    return fail(e.what(), Exit::input);
  } catch (const EnvironmentError& e) {
    return fail(e.what(), Exit::environment);
  } catch (const std::bad_alloc&) {
    return fail("out of memory", Exit::internal);
  } catch (const std::exception& e) {
    return fail(fmt::format("internal error: {}", e.what()), Exit::internal);
  }
}

}  // namespace ithaca
