#include "models/data_dir.h"

#include "models/error.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <system_error>

namespace ithaca {
namespace fs = std::filesystem;

fs::path data_dir() {
  std::error_code ignored;
  if (const char* const named = std::getenv("ITHACA_DATA"); named != nullptr && *named != '\0') {
    if (fs::is_directory(named, ignored)) return named;
    throw EnvironmentError(fmt::format("ITHACA_DATA: expected a directory, got \"{}\"", named));
  }
  const fs::path executable = fs::read_symlink("/proc/self/exe", ignored);
  fs::path installed = executable.parent_path().parent_path() / "share" / "ithaca";
  if (!executable.empty() && fs::is_directory(installed, ignored)) return installed;
  return ITHACA_SOURCE_DIR;
}

std::vector<std::string> data_names(const fs::path& folder) {
  const fs::path where = data_dir() / folder;
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(where, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".yaml") names.push_back(it->path().stem().string());
  }
  if (error) {
    throw EnvironmentError(fmt::format("{}: {}, set ITHACA_DATA to the folder that holds {}",
                                       where.string(), error.message(), folder.string()));
  }
  std::ranges::sort(names);
  return names;
}

bool is_path(const std::string& name_or_path) {
  std::error_code ignored;
  const std::string extension = fs::path(name_or_path).extension().string();
  return name_or_path.find('/') != std::string::npos || extension == ".yaml" ||
         extension == ".yml" || extension == ".json" || fs::exists(name_or_path, ignored);
}

}  // namespace ithaca
