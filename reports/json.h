// reports/json.h -- parts of the contract for scripts that verbs and reports share, schema "ithaca/1".
#pragma once

#include "sim/count.h"
#include "sim/memory.h"

#include <nlohmann/json.hpp>
#include <string>

namespace ithaca {

using Json = nlohmann::ordered_json;

Json shape_json(const LayerShape&);
/// {"r": 2, "u": 4}, major first.
Json mesh_json(const Mesh&);
/// {"phase", "kind", "axes", "tensor", "calls"}
Json event_json(const Event&, const Mesh&);
/// Events of a layer, then of its update, with their elements and sent bytes.
Json collectives_json(const Count& layer, const Count& update, const Mesh&);
/// {"activation", "weight", "total"}
Json sent_json(const SentBytes&);
/// {"weights": bytes, ...}
Json by_role_json(const BytesByRole&);
/// Indented text with a line break at the end.
std::string text_of(const Json&);

}  // namespace ithaca
