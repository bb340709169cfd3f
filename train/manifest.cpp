#include "train/manifest.h"

#include "runtime/host_tensor.h"
#include "train/checksum.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <string_view>

namespace ithaca {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

using Json = nlohmann::ordered_json;

Json to_json(const AxisList& axes, const Mesh& mesh) {
  Json names = Json::array();
  for (const Axis axis : axes) names.push_back(mesh.name(axis));
  return names;
}

Json to_json(const Manifest::Tensor& tensor, const Mesh& mesh) {
  Json dims = Json::array();
  for (const Dim& dim : tensor.type.dims) {
    Json over = Json::array();
    for (const Cut& cut : dim.over) over.push_back({mesh.name(cut.axis), name_of(cut.deal)});
    dims.push_back({{"size", dim.size}, {"over", over}});
  }
  return {{"name", tensor.name},
          {"dtype", name_of(tensor.type.dtype)},
          {"flat", to_json(tensor.type.flat, mesh)},
          {"dims", dims}};
}

bool divides(const Dim& dim, const Mesh& mesh) {
  std::int64_t size = dim.size;
  for (const Cut& cut : dim.over) {
    const std::int64_t n = mesh.ranks(cut.axis);
    if (size % (cut.deal == Deal::zigzag ? 2 * n : n) != 0) return false;
    size /= n;
  }
  return size > 0;
}

}  // namespace

std::string to_text(const Manifest& manifest) {
  Json tensors = Json::array(), files = Json::array(), mesh = Json::array();
  for (const auto& extent : manifest.mesh.extents()) mesh.push_back({extent.name, extent.ranks});
  for (const auto& tensor : manifest.tensors) tensors.push_back(to_json(tensor, manifest.mesh));
  for (const auto& file : manifest.files)
    files.push_back(
        {{"rank", file.rank}, {"bytes", file.bytes}, {"checksum", checksum_text(file.checksum)}});
  const Json json{
      {"schema", "ithaca/1"}, {"kind", "checkpoint"}, {"facts", Json(as_kept(manifest.facts))},
      {"mesh", mesh},         {"tensors", tensors},   {"files", files}};
  std::string text = json.dump(1);
  constexpr std::string_view end = "\n}";
  text.resize(text.size() - end.size());
  return fmt::format("{},\n \"checksum\": \"{}\"{}\n", text, checksum_text(checksum_of(text)), end);
}

std::string data_file_name(int rank) {
  return fmt::format("rank-{:05}.bin", rank);
}

bool can_be_kept(const Type& t, const Mesh& mesh) {
  AxisList axes = axes_of(t);
  std::ranges::sort(axes);
  return t.dtype != DType::bf16 && t.partial.empty() &&
         std::ranges::adjacent_find(axes) == axes.end() &&
         (axes.empty() || axes.back().id < mesh.extents().size()) &&
         std::ranges::all_of(t.dims, [&](const Dim& dim) { return divides(dim, mesh); });
}

std::vector<std::int64_t> owned_indices(const Type& t, const Mesh& mesh, int rank) {
  if (mesh.position(rank, copy_axes(t, mesh)) != 0) return {};
  return global_indices(t, mesh, rank);
}

nlohmann::json as_kept(const nlohmann::json& facts) {
  using Handler = nlohmann::json::error_handler_t;
  return nlohmann::json::parse(facts.dump(-1, ' ', false, Handler::replace));
}

}  // namespace ithaca
