#include "models/error.h"
#include "train/checkpoint.h"
#include "train/folder_writer.h"
#include "train/manifest.h"

#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <string_view>

namespace ithaca {
namespace {

namespace fs = std::filesystem;

/// The number in "step-00000010".
std::optional<std::int64_t> steps_of(const std::string& name) {
  constexpr std::string_view prefix = "step-";
  if (!name.starts_with(prefix)) return std::nullopt;
  std::int64_t steps = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + prefix.size(), end, steps);
  if (read.ec != std::errc() || read.ptr != end || steps < 0) return std::nullopt;
  return steps;
}

std::multimap<std::int64_t, fs::path> checkpoints(const fs::path& folder) {
  std::multimap<std::int64_t, fs::path> found;
  std::error_code error, ignored;
  if (!fs::exists(folder, ignored)) return found;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const auto steps = steps_of(it->path().filename());
    if (steps && fs::is_regular_file(it->path() / manifest_name, ignored))
      found.emplace(*steps, it->path());
  }
  if (error)
    throw InputError({folder.string()}, "",
                     "expected a folder of checkpoints, got: " + error.message());
  return found;
}

}  // namespace

std::string checkpoint_name(std::int64_t steps) {
  require(steps >= 0, "steps count from 0");
  return fmt::format("step-{:08}", steps);
}

std::optional<std::string> latest_checkpoint(const std::string& folder) {
  const auto found = checkpoints(folder);
  if (found.empty()) return std::nullopt;
  return found.rbegin()->second;
}

void prune_checkpoints(const std::string& folder, std::size_t keep) {
  require(keep >= 1, "keep at least one checkpoint");
  const FolderLock lock{fs::path(folder)};
  lock.clean();
  auto found = checkpoints(folder);
  for (; found.size() > keep; found.erase(found.begin())) lock.remove(found.begin()->second);
}

}  // namespace ithaca
