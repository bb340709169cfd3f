// train/manifest.h -- what a checkpoint holds: manifest.json, the first thing read and the last
// written.
//
//     {"schema": "ithaca/1", "kind": "checkpoint", "facts": {...}, "mesh": [["r", 2], ["u", 2]],
//      "tensors": [{"name": "w", "dtype": "f32", "flat": ["u"],
//                   "dims": [{"size": 8, "over": [["r", "blocks"]]}]}],
//      "files": [{"rank": 0, "bytes": 8, "checksum": "995dc9bbdf1939fa"}],
//      "checksum": "..."}
//
// The last checksum is that of all bytes before the comma that precedes it.  A file rank-00000.bin
// holds, tensor after tensor in the order of the manifest, the elements the rank owns as
// global_indices() orders them, little-endian.  A dimension is its size: tensors have names,
// dimensions need none.
#pragma once

#include "models/type.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ithaca {

struct Manifest {
  struct Tensor {
    std::string name;
    Type type;
  };
  struct File {
    int rank = 0;
    std::int64_t bytes = 0;
    std::uint64_t checksum = 0;
  };
  nlohmann::json facts;  ///< an object
  Mesh mesh;
  std::vector<Tensor> tensors;
  std::vector<File> files;  ///< by rank, of ranks that own something
};

/// The text of manifest.json.
std::string to_text(const Manifest&);
/// Throws InputError that names the file and what is wrong with it.
Manifest read_manifest(const std::string& path);

constexpr const char* manifest_name = "manifest.json";
/// "rank-00003.bin".
std::string data_file_name(int rank);
/// Whether values of the type can be kept: f32 or f64, no addends, axes of the mesh at most once,
/// dims that divide.
bool can_be_kept(const Type&, const Mesh&);
/// Global indices of the elements `rank` owns, in the order it holds them: of copies the first owns
/// all.
std::vector<std::int64_t> owned_indices(const Type&, const Mesh&, int rank);
/// Facts as they are read back: text in UTF-8, numbers finite or null.
nlohmann::json as_kept(const nlohmann::json& facts);

}  // namespace ithaca
