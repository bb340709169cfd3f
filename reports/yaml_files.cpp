#include "reports/yaml_files.h"

#include <algorithm>
#include <system_error>

namespace ithaca {

namespace fs = std::filesystem;

std::vector<fs::path> yaml_files(const std::string& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".yaml") paths.push_back(it->path());
  std::ranges::sort(paths);
  return paths;
}

}  // namespace ithaca
