// pth_reader.h - the zip files of torch.save (docs/safety.md, PT-01 to PT-09).
#pragma once

#include "converter/checkpoint.h"
#include "weights/file_reader.h"

namespace spinert {

// Fills tensors, module_versions and notes of the checkpoint.
Status read_pth(const FileReader& file, const CheckpointOptions& options, Checkpoint& checkpoint);

}  // namespace spinert
