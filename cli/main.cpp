#include "cli/app.h"

#include <cerrno>
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  // A reader that closes early (`| head`) ends the output, not the program.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  errno = 0;
  const int code = ithaca::cli_main(args, std::cout, std::cerr);
  std::cout.flush();
  if (code == 0 && !std::cout && errno != EPIPE) {
    std::cerr << "stdout: cannot be written\n";
    return 5;
  }
  return code;
}
