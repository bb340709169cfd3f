// reports/workshop.h -- several files that appear together: written out of sight, renamed when all are there.
//
// Whoever is stopped before deliver() leaves what was in the folder; between the renames lies no other work.
#pragma once

#include <filesystem>
#include <string>

namespace ithaca {

/// A folder of our own, gone at the end: inside the target if that is there, which may be a volume of its own, else
/// beside it.
class Workshop {
 public:
  /// Throws EnvironmentError when it cannot be made.
  explicit Workshop(std::filesystem::path target);
  ~Workshop();
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const;
  /// All files into the target, which is made if need be.  Throws EnvironmentError; a name that is a folder there is
  /// found before the first is moved.
  void deliver() const;

 private:
  std::filesystem::path target_, path_;
};

}  // namespace ithaca
