// tests/shapes.h -- layer shapes and layers that tests share.
#pragma once

#include "models/catalog.h"
#include "models/layer.h"

#include <string>
#include <vector>

namespace ithaca {

struct Heads {
  std::int64_t k, g, e;
};

inline LayerShape shape_of(std::int64_t L, std::int64_t d, const Heads& heads, std::int64_t i) {
  LayerShape shape;
  shape.L = L;
  shape.d = d;
  shape.k = heads.k;
  shape.g = heads.g;
  shape.e = heads.e;
  shape.i = i;
  return shape;
}

inline LayerShape llama3_8b(std::int64_t L) {
  return shape_of(L, 4096, {8, 4, 128}, 14336);
}

/// Sizes that differ, grouped heads, a wider than d, enough of all for eight ranks.
inline LayerShape small_shape() {
  LayerShape shape = shape_of(96, 40, {8, 2, 6}, 112);
  shape.b = 8;
  return shape;
}

inline Layer layer_of(const std::string& expression, const Mesh& mesh, const LayerShape& shape,
                      const LayerOptions& options = {}) {
  const Arrangement arrangement = arrange(expression, mesh, shape);
  return layer_program(shape, arrangement.strategy, arrangement.mesh, options);
}

inline Layer layer_of(const std::string& expression, int degree, const LayerShape& shape,
                      const LayerOptions& options = {}) {
  return layer_of(expression, default_mesh(expression, degree, shape), shape, options);
}

struct Case {
  std::string expression, mesh;
};

/// Every row of the catalog and composites, on meshes of 2 to 8 ranks that fit small_shape().
inline std::vector<Case> all_cases() {
  std::vector<Case> cases;
  const std::vector<std::pair<std::string, std::string>> one_axis{{"tp", "t"},
                                                                  {"tp_sp", "t"},
                                                                  {"odysseus_zero3", "t"},
                                                                  {"ulysses_zero3", "u"},
                                                                  {"ulysses_ddp", "u"},
                                                                  {"ring_zero3", "r"},
                                                                  {"ring_ddp", "r"},
                                                                  {"ring_zigzag_zero3", "r"},
                                                                  {"ring_stripes_zero3", "r"},
                                                                  {"ring_homing_zero3", "r"},
                                                                  {"ring_homing_zigzag_zero3", "r"},
                                                                  {"kv_gather_zero3", "c"},
                                                                  {"kv_gather_zigzag_zero3", "c"},
                                                                  {"data_zero3", "p"},
                                                                  {"data_ddp", "p"}};
  for (const auto& [name, axis] : one_axis)
    for (const char* n : {"=2", "=4", "=8"}) cases.push_back({name, axis + n});
  for (const char* mesh : {"r=2,u=2", "r=2,u=4", "r=4,u=2"}) {
    for (const char* name : {"usp_zero3", "usp_zigzag_zero3", "usp_stripes_ddp"})
      cases.push_back({name, mesh});
    cases.push_back({"ring_zigzag_zero3(r) * ulysses_zero3(u) | local_zero3(r) * tp_sp(u)", mesh});
    cases.push_back({"data_zero3(r) * tp_sp(u)", mesh});
    cases.push_back({"ring_zero3(r) * tp(u)", mesh});
  }
  for (const char* mesh : {"o=2,i=2", "o=2,i=4", "o=4,i=2"})
    for (const char* name : {"double_ring_zero3", "double_ring_zigzag_zero3",
                             "double_ring_stripes_ddp", "double_ring_homing_zigzag_zero3"})
      cases.push_back({name, mesh});
  cases.push_back({"double_ring_zigzag_zero3(o,i) * ulysses_zero3(u)", "o=2,i=2,u=2"});
  cases.push_back({"double_ring_zigzag_zero3(o,i) | local_zero3(o) * tp_sp(i)", "o=2,i=4"});
  cases.push_back({"double_ring_zigzag_zero3(o,i) | local_zero3(o) * local_zero3(i)", "o=2,i=2"});
  cases.push_back({"tp_sp(t) | local_zero3(t)", "t=4"});
  cases.push_back({"tp(t) | local_ddp(t)", "t=4"});
  cases.push_back({"ulysses_zero3(u) | tp_sp(u)", "u=4"});
  return cases;
}

inline Layer layer_of(const Case& c, const LayerShape& shape = small_shape(),
                      const LayerOptions& options = {}) {
  return layer_of(c.expression, parse_mesh(c.mesh), shape, options);
}

}  // namespace ithaca
