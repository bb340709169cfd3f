#include "models/type.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace ithaca {

std::int64_t bytes_of(DType t) {
  constexpr std::array<std::int64_t, 4> bytes{2, 4, 8, 8};
  return bytes[static_cast<std::size_t>(t)];
}

const char* name_of(DType t) {
  constexpr std::array names{"bf16", "f32", "f64", "i64"};
  return names[static_cast<std::size_t>(t)];
}

const char* name_of(DimName dim) {
  constexpr std::array names{"b", "L", "d", "k", "g", "e", "i", "m", "p", "v", "R"};
  return names[static_cast<std::size_t>(dim)];
}

const char* name_of(Deal deal) {
  constexpr std::array names{"blocks", "zigzag", "stripes"};
  return names[static_cast<std::size_t>(deal)];
}

const Dim* Type::find(DimName name) const {
  const auto it = std::ranges::find(dims, name, &Dim::name);
  return it == dims.end() ? nullptr : &*it;
}

std::int64_t ways(const Dim& dim, const Mesh& mesh) {
  std::int64_t n = 1;
  for (const Cut& cut : dim.over) n *= mesh.ranks(cut.axis);
  return n;
}

std::int64_t local_size(const Dim& dim, const Mesh& mesh) {
  return dim.size / ways(dim, mesh);
}

std::int64_t whole_elements(const Type& t, const Mesh& mesh) {
  std::int64_t n = 1;
  for (const Dim& dim : t.dims) n *= local_size(dim, mesh);
  return n;
}

std::int64_t local_elements(const Type& t, const Mesh& mesh) {
  const std::int64_t n = whole_elements(t, mesh);
  const std::int64_t parts = mesh.ranks(t.flat);
  return (n + parts - 1) / parts;
}

std::int64_t local_bytes(const Type& t, const Mesh& mesh) {
  return local_elements(t, mesh) * bytes_of(t.dtype);
}

std::int64_t global_elements(const Type& t) {
  std::int64_t n = 1;
  for (const Dim& dim : t.dims) n *= dim.size;
  return n;
}

AxisList axes_of(const Type& t) {
  AxisList axes = t.flat + t.partial;
  for (const Dim& dim : t.dims)
    for (const Cut& cut : dim.over) axes.push_back(cut.axis);
  return axes;
}

Type dual(Type t) {
  t.partial.clear();
  t.maximum = false;
  return t;
}

std::string to_string(const Type& t, const Mesh& mesh) {
  std::string text = fmt::format("{}[", name_of(t.dtype));
  for (const Dim& dim : t.dims) {
    if (&dim != t.dims.data()) text += ", ";
    text += fmt::format("{}={}", name_of(dim.name), dim.size);
    for (const Cut& cut : dim.over) {
      text += "/" + mesh.name(cut.axis);
      if (cut.deal != Deal::blocks) text += fmt::format(":{}", name_of(cut.deal));
    }
  }
  text += "]";
  if (!t.flat.empty()) text += " flat " + name_of(mesh, t.flat);
  if (!t.partial.empty())
    text += (t.maximum ? " maximum over " : " partial ") + name_of(mesh, t.partial);
  return text;
}

}  // namespace ithaca
