// models/hf_config.h -- a model from a Hugging Face config.json.
//
// A config.json leaves out what its model class takes for granted: tied embeddings, biases, gates,
// head dimensions and norms differ by family, so each model_type has a row of such defaults, taken
// from the configuration and modelling classes of transformers (src/transformers/models/*).
// Multimodal wrappers are read through their text_config.
#pragma once

#include "models/model_spec.h"

#include <string>
#include <vector>

namespace ithaca {

/// Throws InputError with file, line, column and key when the file is unreadable, truncated, not an
/// object, lacks a size, holds an impossible one, or names a model_type or an activation that is
/// not known here.
ModelSpec read_hf_config(const std::string& path);

/// The model types understood, sorted.
std::vector<std::string> hf_model_types();

}  // namespace ithaca
