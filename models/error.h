// models/error.h -- the three kinds of failure, each with its own mechanism.
//
// The user's input is wrong: InputError, caught once in main, one line, exit 2.
// The outside world failed (file, device, peer): EnvironmentError, exit 5.
// We are wrong: require() prints the place and aborts.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace ithaca {

/// Where an input was read; line and column count from 1, 0 means unknown and is not printed.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
};

/// what() is one line: `file:line:column: key: message`, parts that are empty left out.
/// The message says what was expected, what was got and, after a comma, a hint.
class InputError : public std::runtime_error {
 public:
  InputError(const Place& place, std::string_view key, std::string_view message);
  /// For command-line flags and ill-typed requests: `--seq: expected ...`.
  InputError(std::string_view key, std::string_view message);
};

/// A program whose types do not fit, or a strategy that is impossible for a shape.
class TypeError : public InputError {
 public:
  using InputError::InputError;
};

class EnvironmentError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Aborts with `file:line: message` unless `condition` holds.  For our bugs only.
void require(bool condition, std::string_view message, const char* file = __builtin_FILE(),
             int line = __builtin_LINE());

}  // namespace ithaca
