// cli/verb.h -- one verb of the command line: its flags and what it does.
#pragma once

#include "cli/console.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace ithaca {

/// What a process returns.
struct Exit {
  static constexpr int ok = 0, internal = 1, input = 2, infeasible = 3, unverified = 4,
                       environment = 5;
};

class Verb {
 public:
  explicit Verb(CLI::App* app) : app_(app) {}
  virtual ~Verb() = default;
  Verb(const Verb&) = delete;
  Verb& operator=(const Verb&) = delete;

  /// Does it and returns the exit code.  Throws InputError and EnvironmentError.
  virtual int run(Console&) = 0;
  const CLI::App& app() const { return *app_; }

 protected:
  CLI::App* app_;  // owned by the root
};

// One file a verb; each adds its subcommand to the root.
std::unique_ptr<Verb> make_table(CLI::App& root);
std::unique_ptr<Verb> make_cost(CLI::App& root);
std::unique_ptr<Verb> make_longest(CLI::App& root);
std::unique_ptr<Verb> make_plan(CLI::App& root);
std::unique_ptr<Verb> make_run(CLI::App& root);
std::unique_ptr<Verb> make_report(CLI::App& root);
std::unique_ptr<Verb> make_calibrate(CLI::App& root);
std::unique_ptr<Verb> make_validate(CLI::App& root);
std::unique_ptr<Verb> make_models(CLI::App& root);
std::unique_ptr<Verb> make_clusters(CLI::App& root);

}  // namespace ithaca
