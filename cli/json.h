// cli/json.h -- parts of the contract for scripts that several verbs share, schema "ithaca/1".
#pragma once

#include "planner/price.h"

#include <nlohmann/json.hpp>
#include <string>

namespace ithaca {

using Json = nlohmann::ordered_json;

Json shape_json(const LayerShape&);
/// {"r": 2, "u": 4}, major first.
Json mesh_json(const Mesh&);
/// ["r", "u"]
Json axes_json(const AxisList&, const Mesh&);
Json collectives_json(const Count&, const Mesh&);
/// {"activation", "weight", "total"}
Json sent_json(const SentBytes&);
/// Indented text with a line break at the end.
std::string text_of(const Json&);

}  // namespace ithaca
