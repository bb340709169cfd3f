#include "models/error.h"
#include "models/nearest.h"
#include "models/yaml.h"
#include "train/checksum.h"
#include "train/manifest.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <string_view>
#include <utility>

namespace ithaca {
namespace {

using Json = nlohmann::json;

/// A manifest that is whole but makes no sense; read_manifest() adds the place.
struct Foreign : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Axis axis_of(const Json& name, const Mesh& mesh) {
  for (std::uint8_t id = 0; id < mesh.extents().size(); ++id)
    if (mesh.name({id}) == name.get<std::string>()) return {id};
  throw Foreign("an axis that is not in the mesh");
}

template <class Enum>
Enum one_of(const Json& name, std::initializer_list<Enum> values) {
  for (const Enum value : values)
    if (name.get<std::string>() == name_of(value)) return value;
  throw Foreign("the unknown word " + in_quotes(name.get<std::string>()));
}

template <class Int>
Int whole_number(const Json& json) {
  const bool fits = json.is_number_unsigned() && std::in_range<Int>(json.get<std::uint64_t>());
  if (!fits) throw Foreign("the number " + json.dump());
  return json.get<Int>();
}

const Json& at_most(std::size_t most, const Json& list) {
  if (!list.is_array() || list.size() > most) throw Foreign("a list that is too long");
  return list;
}

Dim dim_of(const Json& json, const Mesh& mesh) {
  Dim dim{{}, whole_number<std::int64_t>(json.at("size"))};
  for (const Json& cut : at_most(max_axes, json.at("over")))
    dim.over.push_back(
        {axis_of(cut.at(0), mesh), one_of(cut.at(1), {Deal::blocks, Deal::zigzag, Deal::stripes})});
  return dim;
}

Manifest::Tensor tensor_of(const Json& json, const Mesh& mesh) {
  Type t;
  t.dtype = one_of(json.at("dtype"), {DType::f32, DType::f64});
  for (const Json& dim : at_most(Dims::static_capacity, json.at("dims")))
    t.dims.push_back(dim_of(dim, mesh));
  for (const Json& axis : at_most(max_axes, json.at("flat"))) t.flat.push_back(axis_of(axis, mesh));
  if (!can_be_kept(t, mesh)) throw Foreign("a tensor that does not fit its mesh");
  return {json.at("name").get<std::string>(), t};
}

Manifest::File file_of(const Json& json) {
  const auto text = json.at("checksum").get<std::string>();
  Manifest::File file{whole_number<int>(json.at("rank")),
                      whole_number<std::int64_t>(json.at("bytes"))};
  std::from_chars(text.data(), text.data() + text.size(), file.checksum, 16);
  return file;
}

Mesh mesh_of(const Json& json) {
  std::vector<Mesh::Extent> extents;
  for (const Json& axis : at_most(max_axes, json))
    extents.push_back({axis.at(0).get<std::string>(), whole_number<int>(axis.at(1))});
  try {
    return Mesh(extents);
  } catch (const InputError& error) {
    throw Foreign(error.what());
  }
}

/// Each rank once.
void check_ranks(const std::vector<Manifest::File>& files, const Mesh& mesh) {
  const bool ordered = std::ranges::adjacent_find(files, std::ranges::greater_equal{},
                                                  &Manifest::File::rank) == files.end();
  if (!ordered || (!files.empty() && files.back().rank >= mesh.ranks()))
    throw Foreign("files of ranks that are not in the mesh");
}

Manifest manifest_of(const Json& json) {
  Manifest manifest{json.at("facts"), mesh_of(json.at("mesh")), {}, {}};
  for (const Json& tensor : json.at("tensors"))
    manifest.tensors.push_back(tensor_of(tensor, manifest.mesh));
  for (const Json& file : json.at("files")) manifest.files.push_back(file_of(file));
  check_ranks(manifest.files, manifest.mesh);
  return manifest;
}

/// The text without its last key, which must be the checksum of the rest.
void check_checksum(const std::string& path, const std::string& text) {
  const std::size_t end = text.rfind(",\n \"checksum\"");
  if (end == std::string::npos)
    throw InputError({path}, "",
                     "expected the manifest of a checkpoint, which ends in its checksum, got "
                     "another or a truncated file, use another checkpoint");
  const std::string expected = checksum_text(checksum_of(std::string_view(text).substr(0, end)));
  if (text.substr(end) == fmt::format(",\n \"checksum\": \"{}\"\n}}\n", expected)) return;
  throw InputError({path}, "checksum",
                   fmt::format("expected \"{}\" and the end of the file, got a damaged file, use "
                               "another checkpoint",
                               expected));
}

void check_version(const std::string& path, const Json& json) {
  for (const auto& [key, expected] : {std::pair{"schema", "ithaca/1"}, {"kind", "checkpoint"}}) {
    const Json got = json.value(key, Json());
    if (got == expected) continue;
    throw InputError({path}, key,
                     fmt::format("expected \"{}\", got {}, use the version of ithaca that wrote it",
                                 expected, got.dump()));
  }
}

}  // namespace

Manifest read_manifest(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    throw InputError({path}, "",
                     "expected the manifest of a checkpoint, got no such file, name a directory "
                     "such as step-00000010");
  const std::string text = read_file(path);
  check_checksum(path, text);
  std::string reason;
  try {
    const Json json = Json::parse(text);
    check_version(path, json);
    return manifest_of(json);
  } catch (const Json::exception& error) {
    reason = error.what();
  } catch (const Foreign& error) {
    reason = error.what();
  }
  throw InputError({path}, "",
                   fmt::format("expected the manifest of a checkpoint, got {}, use another "
                               "checkpoint",
                               one_line(reason)));
}

}  // namespace ithaca
