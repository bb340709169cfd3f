#include "models/error.h"
#include "train/checkpoint.h"
#include "train/checksum.h"
#include "train/manifest.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>

namespace ithaca {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

[[noreturn]] void damaged(const std::string& path, const std::string& expected,
                          const std::string& got) {
  throw InputError({path}, "",
                   fmt::format("expected {}, got {}, use another checkpoint", expected, got));
}

/// Refuses a fact that differs, by its dotted key.
void check_facts(const std::string& path, const std::string& key, const Json& expected,
                 const Json* got) {
  if (expected.is_object() && got != nullptr && got->is_object()) {
    for (const auto& [name, value] : expected.items()) {
      const auto found = got->find(name);
      check_facts(path, key + "." + name, value, found == got->end() ? nullptr : &*found);
    }
  } else if (got == nullptr || *got != expected) {
    throw InputError({path}, key,
                     fmt::format("expected {}, got {}, use a checkpoint of this run",
                                 expected.dump(), got == nullptr ? "nothing" : got->dump()));
  }
}

/// "f32[8, 16]".
std::string shape_text(const Type& t) {
  std::vector<std::int64_t> sizes;
  for (const Dim& dim : t.dims) sizes.push_back(dim.size);
  return fmt::format("{}[{}]", name_of(t.dtype), fmt::join(sizes, ", "));
}

void check_tensors(const std::string& path, const std::map<std::string, Type>& expected,
                   const std::vector<Manifest::Tensor>& got) {
  std::map<std::string, std::string> shapes;
  for (const Manifest::Tensor& tensor : got) shapes[tensor.name] = shape_text(tensor.type);
  const auto refuse = [&](const std::string& name, const std::string& want,
                          const std::string& have) {
    throw InputError(
        {path}, "tensors." + name,
        fmt::format("expected {}, got {}, use a checkpoint of this model", want, have));
  };
  for (const auto& [name, type] : expected) {
    const auto found = shapes.find(name);
    if (found == shapes.end()) refuse(name, shape_text(type), "nothing");
    if (found->second != shape_text(type)) refuse(name, shape_text(type), found->second);
  }
  for (const auto& [name, shape] : shapes)
    if (!expected.contains(name)) refuse(name, "no such tensor", shape);
  if (shapes.size() != got.size()) refuse("", "different names", "one of them twice");
}

/// Cheap, and of all files before any is read.
void check_sizes(const std::string& path, const Manifest& manifest) {
  std::int64_t tensor_bytes = 0, file_bytes = 0;
  for (const auto& [name, type] : manifest.tensors)
    tensor_bytes += global_elements(type) * bytes_of(type.dtype);
  for (const Manifest::File& file : manifest.files) file_bytes += file.bytes;
  if (tensor_bytes != file_bytes)
    damaged(fs::path(path) / manifest_name, fmt::format("files of {} bytes", tensor_bytes),
            fmt::format("{}", file_bytes));
  for (const Manifest::File& file : manifest.files) {
    const std::string name = fs::path(path) / data_file_name(file.rank);
    const std::string expected = fmt::format("{} bytes", file.bytes);
    std::error_code error;
    if (!fs::is_regular_file(name, error)) damaged(name, expected, "no such file");
    const auto bytes = static_cast<std::int64_t>(fs::file_size(name, error));
    if (error) damaged(name, expected, error.message());
    if (bytes != file.bytes) damaged(name, expected, fmt::format("{}", bytes));
  }
}

std::vector<std::byte> read_data(const std::string& path, const Manifest::File& file) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.bytes));
  std::ifstream in(path, std::ios::binary);
  if (!in.read(reinterpret_cast<char*>(bytes.data()), file.bytes))
    damaged(path, fmt::format("{} bytes", file.bytes), "a file that cannot be read");
  Checksum checksum;
  checksum.add(bytes);
  if (checksum.value() != file.checksum)
    damaged(path, "checksum " + checksum_text(file.checksum), checksum_text(checksum.value()));
  return bytes;
}

double element(DType dtype, const std::byte* from) {
  double wide = 0;
  float narrow = 0;
  if (dtype == DType::f64) {
    std::memcpy(&wide, from, sizeof wide);
    return wide;
  }
  std::memcpy(&narrow, from, sizeof narrow);
  return static_cast<double>(narrow);
}

/// Puts what the file of `rank` holds in its places of the whole tensors.
void place(const std::string& path, const Manifest& manifest, int rank,
           std::span<const std::byte> bytes, std::map<std::string, HostTensor>& tensors) {
  for (const auto& [name, type] : manifest.tensors) {
    HostTensor& whole = tensors.at(name);
    const auto each = static_cast<std::size_t>(bytes_of(type.dtype));
    for (const std::int64_t index : owned_indices(type, manifest.mesh, rank)) {
      if (bytes.size() < each) damaged(path, "the slices of the manifest", "fewer bytes");
      whole[static_cast<std::size_t>(index)] = element(type.dtype, bytes.data());
      bytes = bytes.subspan(each);
    }
  }
  if (!bytes.empty()) damaged(path, "the slices of the manifest", "more bytes");
}

}  // namespace

Checkpoint load_checkpoint(const std::string& path, const ExpectedState& expected) {
  require(expected.facts.is_object(), "facts are an object");
  const std::string manifest_path = fs::path(path) / manifest_name;
  const Manifest manifest = read_manifest(manifest_path);
  check_facts(manifest_path, "facts", as_kept(expected.facts), &manifest.facts);
  check_tensors(manifest_path, expected.tensors, manifest.tensors);
  check_sizes(path, manifest);
  Checkpoint checkpoint{manifest.facts, {}};
  for (const auto& [name, type] : manifest.tensors)
    checkpoint.tensors[name].resize(static_cast<std::size_t>(global_elements(type)));
  for (const Manifest::File& file : manifest.files) {
    const std::string name = fs::path(path) / data_file_name(file.rank);
    place(name, manifest, file.rank, read_data(name, file), checkpoint.tensors);
  }
  return checkpoint;
}

}  // namespace ithaca
