// cli/app.h -- the whole command line as a function, so that tests can call it.
//
// Exit codes: 0 ok, 1 internal, 2 usage or input, 3 no feasible plan, 4 verification failed, 5
// environment. A failure is one line on `err`.
#pragma once

#include <ostream>
#include <span>
#include <string>

namespace ithaca {

/// `args` without the program's name.  Never throws.
int cli_main(std::span<const std::string> args, std::ostream& out, std::ostream& err);

}  // namespace ithaca
