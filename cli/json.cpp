#include "cli/json.h"

namespace ithaca {

Json shape_json(const LayerShape& n) {
  constexpr const char* acts[] = {"swiglu", "geglu", "gelu"};
  return {{"b", n.b},
          {"L", n.L},
          {"d", n.d},
          {"i", n.i},
          {"heads", n.h()},
          {"kv_heads", n.k},
          {"k", n.k},
          {"g", n.g},
          {"e", n.e},
          {"act", acts[static_cast<std::size_t>(n.act)]},
          {"norm", n.norm == Norm::rms ? "rms" : "layer"}};
}

Json mesh_json(const Mesh& mesh) {
  Json json = Json::object();
  for (const Mesh::Extent& extent : mesh.extents()) json[extent.name] = extent.ranks;
  return json;
}

Json axes_json(const AxisList& axes, const Mesh& mesh) {
  Json json = Json::array();
  for (const Axis axis : axes) json.push_back(mesh.name(axis));
  return json;
}

Json collectives_json(const Count& count, const Mesh& mesh) {
  Json json = Json::array();
  for (const Event& e : count.events)
    json.push_back({{"phase", name_of(e.phase)},
                    {"kind", name_of(e.wire)},
                    {"axes", axes_json(e.axes, mesh)},
                    {"tensor", e.tensor},
                    {"calls", e.calls},
                    {"elements", e.elements},
                    {"sent_bytes", e.sent_bytes}});
  return json;
}

Json sent_json(const SentBytes& sent) {
  return {{"activation", sent.activation}, {"weight", sent.weight}, {"total", sent.total()}};
}

std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace ithaca
