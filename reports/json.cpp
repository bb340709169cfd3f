#include "reports/json.h"

namespace ithaca {

Json shape_json(const LayerShape& n) {
  return {{"b", n.b},
          {"L", n.L},
          {"d", n.d},
          {"i", n.i},
          {"heads", n.h()},
          {"kv_heads", n.k},
          {"k", n.k},
          {"g", n.g},
          {"e", n.e},
          {"act", name_of(n.act)},
          {"norm", name_of(n.norm)},
          {"mask", to_string(n.mask)}};
}

Json mesh_json(const Mesh& mesh) {
  Json json = Json::object();
  for (const Mesh::Extent& extent : mesh.extents()) json[extent.name] = extent.ranks;
  return json;
}

Json event_json(const Event& e, const Mesh& mesh) {
  Json axes = Json::array();
  for (const Axis axis : e.axes) axes.push_back(mesh.name(axis));
  return {{"phase", name_of(e.phase)},
          {"kind", name_of(e.wire)},
          {"axes", axes},
          {"tensor", e.tensor},
          {"calls", e.calls}};
}

Json collectives_json(const Count& layer, const Count& update, const Mesh& mesh) {
  Json all = Json::array();
  for (const Count* const part : {&layer, &update})
    for (const Event& e : part->events) {
      all.push_back(event_json(e, mesh));
      all.back().update({{"elements", e.elements}, {"sent_bytes", e.sent_bytes}});
    }
  return all;
}

Json sent_json(const SentBytes& sent) {
  return {{"activation", sent.activation}, {"weight", sent.weight}, {"total", sent.total()}};
}

Json by_role_json(const BytesByRole& by_role) {
  Json json;
  for (std::size_t r = 0; r < memory_roles; ++r)
    json[name_of(static_cast<MemoryRole>(r))] = by_role[r];
  return json;
}

std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace ithaca
