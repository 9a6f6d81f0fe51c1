// inspect_model.h - prints a model file: tensors, metadata, graphs with the kernel of each node, memory.
#pragma once

#include <string>

#include "runtime/engine.h"

namespace spinert::cli {

// Returns the exit code; results go to standard output.
int inspect_model(const std::string& path, const EngineOptions& options, bool as_json, bool json_log);

}  // namespace spinert::cli
