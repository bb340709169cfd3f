#include "train/folder_writer.h"

#include "models/error.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace ithaca {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view hidden_suffix = ".checkpoint.tmp";

[[noreturn]] void cannot_write(const fs::path& path, int error) {
  throw EnvironmentError(fmt::format("{}: cannot be written: {}", path.string(),
                                     std::generic_category().message(error)));
}

void check(bool done, const fs::path& path) {
  if (!done) cannot_write(path, errno);
}

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

fs::path hidden(const fs::path& target, std::string_view kind) {
  return parent_of(target) /
         fmt::format(".{}.{}{}", target.filename().string(), kind, hidden_suffix);
}

bool is_hidden(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') && name.ends_with(hidden_suffix);
}

/// Both names change owners in one instant; false where the file system cannot do that.
bool exchange(const fs::path& a, const fs::path& b) {
  const bool done = renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
  check(done || errno == EINVAL || errno == ENOSYS, b);
  return done;
}

/// An open file or directory of the name `path`.
class Descriptor {
 public:
  Descriptor(fs::path path, int flags)
      : path_(std::move(path)), number_(open(path_.c_str(), flags | O_CLOEXEC, 0666)) {
    check(number_ >= 0, path_);
  }
  ~Descriptor() { close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void write(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(number_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      check(written > 0, path_);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  void sync() const { check(fsync(number_) == 0, path_); }

 private:
  fs::path path_;
  int number_;
};

}  // namespace

FolderLock::FolderLock(const fs::path& folder)
    : folder_(folder), descriptor_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  check(descriptor_ >= 0, folder_);
  // A file system without locks leaves it to the user that one run at a time writes here.
  while (flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) continue;
}

FolderLock::~FolderLock() {
  close(descriptor_);
}

void FolderLock::clean() const {
  std::vector<fs::path> left;
  std::error_code ignored;
  for (fs::directory_iterator it(folder_, ignored), end; it != end; it.increment(ignored))
    if (is_hidden(it->path()) && it->is_directory(ignored)) left.push_back(it->path());
  for (const fs::path& path : left) fs::remove_all(path, ignored);
}

void FolderLock::remove(const fs::path& path) const {
  const fs::path out_of_sight = hidden(path, "old");
  check(rename(path.c_str(), out_of_sight.c_str()) == 0, path);
  sync();
  std::error_code error;
  fs::remove_all(out_of_sight, error);
  if (error) cannot_write(out_of_sight, error.value());
}

void FolderLock::sync() const {
  check(fsync(descriptor_) == 0, folder_);
}

FolderWriter::FolderWriter(const fs::path& target)
    : target_(without_slash(target)), hidden_(hidden(target_, "new")), lock_(parent_of(target_)) {
  lock_.clean();
  check(mkdir(hidden_.c_str(), 0777) == 0, target_);
}

FolderWriter::~FolderWriter() {
  std::error_code ignored;
  fs::remove_all(hidden_, ignored);
}

void FolderWriter::write(const std::string& name,
                         const std::vector<std::span<const std::byte>>& pieces) const {
  const Descriptor file(hidden_ / name, O_WRONLY | O_CREAT | O_EXCL);
  for (const auto piece : pieces) file.write(piece);
  file.sync();
}

void FolderWriter::commit() {
  Descriptor(hidden_, O_RDONLY | O_DIRECTORY).sync();
  std::error_code ignored;
  const bool replaces = fs::exists(target_, ignored);
  if (!replaces || !exchange(hidden_, target_)) {
    if (replaces) lock_.remove(target_);
    check(rename(hidden_.c_str(), target_.c_str()) == 0, target_);
  }
  lock_.sync();
}

}  // namespace ithaca
