// train/folder_writer.h -- a directory of files that is there completely or not at all.
//
// The files are written into a hidden directory beside the target; commit() renames it into place.
// Files and directories are synced before and after, so that neither a killed process nor a lost
// machine leaves a target with half of its files.  What a killed process leaves is the hidden
// directory, which the next one removes.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ithaca {

/// An exclusive lock on a folder: whoever writes into it or removes from it holds one, so that a
/// hidden directory in it belongs to nobody alive.  Waits for it.  Throws EnvironmentError when
/// `folder` cannot be opened.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// Removes the hidden directories that killed processes left.
  void clean() const;
  /// Removes the directory `path` in this folder so that a kill leaves all of it or only something
  /// hidden.  Throws EnvironmentError.
  void remove(const std::filesystem::path& path) const;
  /// Makes new and removed names in the folder last.  Throws EnvironmentError.
  void sync() const;

 private:
  std::filesystem::path folder_;
  int descriptor_;
};

class FolderWriter {
 public:
  /// Throws EnvironmentError when nothing can be written beside `target`.
  explicit FolderWriter(const std::filesystem::path& target);
  /// Removes what was written, unless it was committed.
  ~FolderWriter();
  FolderWriter(const FolderWriter&) = delete;
  FolderWriter& operator=(const FolderWriter&) = delete;

  /// A file of these pieces, one after another.  Throws EnvironmentError.
  void write(const std::string& name, const std::vector<std::span<const std::byte>>& pieces) const;
  /// The directory becomes `target`; one that is there is replaced in the same instant, or where the
  /// file system cannot exchange names (NFS), removed just before.  Throws EnvironmentError.
  void commit();

 private:
  std::filesystem::path target_, hidden_;
  FolderLock lock_;
};

}  // namespace ithaca
