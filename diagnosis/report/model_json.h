// model_json.h - an open model as JSON: file, metadata, device, memory, tensors, the kernel of each node.
#pragma once

#include <string>

#include "runtime/engine.h"

namespace spinert {

// What `spinert inspect --json` prints of a model. sha256: of the file. Asks for every plan of the engine.
std::string model_json(Engine& engine, const std::string& sha256);

}  // namespace spinert
