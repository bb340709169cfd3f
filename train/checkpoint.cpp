#include "train/checkpoint.h"

#include "models/error.h"
#include "train/checksum.h"
#include "train/folder_writer.h"
#include "train/manifest.h"

#include <filesystem>
#include <fmt/format.h>
#include <set>

namespace ithaca {
namespace {

namespace fs = std::filesystem;
using Pieces = std::vector<std::span<const std::byte>>;

void check(const Mesh& mesh, const std::vector<StateTensor>& tensors) {
  std::set<std::string> names;
  for (const StateTensor& tensor : tensors) {
    require(names.insert(tensor.name).second, "tensors of a checkpoint have different names");
    require(can_be_kept(tensor.type, mesh), "a checkpoint keeps f32 and f64 without addends");
    require(std::ssize(tensor.slices) == mesh.ranks(), "one slice for each rank");
    for (const auto slice : tensor.slices)
      require(std::ssize(slice) == local_bytes(tensor.type, mesh), "slices as the type says");
  }
}

void check_replaceable(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored) || fs::exists(fs::path(path) / manifest_name, ignored)) return;
  throw EnvironmentError(
      fmt::format("{}: cannot be written: it is there and is not a checkpoint", path));
}

/// What `rank` owns, without the padding of flat cuts.
Pieces pieces_of(const std::vector<StateTensor>& tensors, const Mesh& mesh, int rank) {
  Pieces pieces;
  for (const StateTensor& tensor : tensors) {
    const std::size_t owned = owned_indices(tensor.type, mesh, rank).size();
    if (owned == 0) continue;
    const auto bytes = owned * static_cast<std::size_t>(bytes_of(tensor.type.dtype));
    pieces.push_back(tensor.slices[static_cast<std::size_t>(rank)].first(bytes));
  }
  return pieces;
}

Manifest::File describe(int rank, const Pieces& pieces) {
  Checksum checksum;
  std::int64_t bytes = 0;
  for (const auto piece : pieces) {
    checksum.add(piece);
    bytes += std::ssize(piece);
  }
  return {rank, bytes, checksum.value()};
}

}  // namespace

void save_checkpoint(const std::string& path, const Mesh& mesh,
                     const std::vector<StateTensor>& tensors, const nlohmann::json& facts) {
  require(facts.is_object(), "facts are an object");
  check(mesh, tensors);
  check_replaceable(path);
  FolderWriter folder(path);
  Manifest manifest{facts, mesh, {}, {}};
  for (const StateTensor& tensor : tensors) manifest.tensors.push_back({tensor.name, tensor.type});
  for (int rank = 0; rank < mesh.ranks(); ++rank) {
    const Pieces pieces = pieces_of(tensors, mesh, rank);
    if (pieces.empty()) continue;
    manifest.files.push_back(describe(rank, pieces));
    folder.write(data_file_name(rank), pieces);
  }
  const std::string text = to_text(manifest);
  folder.write(manifest_name, {std::as_bytes(std::span(text))});
  folder.commit();
}

}  // namespace ithaca
