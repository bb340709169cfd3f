#include "reports/workshop.h"

#include "models/error.h"
#include "planner/plan_file.h"

#include <fmt/format.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void cannot_write(const fs::path& path, const std::string& why) {
  throw EnvironmentError(fmt::format("{}: cannot be written: {}", path.string(), why));
}

fs::path workshop_of(const fs::path& target) {
  const std::string own = fmt::format("{}.tmp", getpid());
  return fs::is_directory(target) ? target / ("." + own)
                                  : fs::path(fmt::format("{}.{}", target.string(), own));
}

}  // namespace

Workshop::Workshop(fs::path target) : target_(std::move(target)), path_(workshop_of(target_)) {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) cannot_write(target_, error.message());
}

Workshop::~Workshop() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void Workshop::write(const std::string& name, const std::string& text) const {
  write_file((path_ / name).string(), text);
}

void Workshop::deliver() const {
  std::vector<fs::path> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
    names.push_back(entry.path().filename());
    if (fs::is_directory(target_ / names.back()))
      cannot_write(target_ / names.back(), "it is a folder");
  }
  std::error_code error;
  fs::create_directories(target_, error);
  for (const fs::path& name : names) {
    if (error) break;
    fs::rename(path_ / name, target_ / name, error);
  }
  if (error) cannot_write(target_, error.message());
}

}  // namespace ithaca
