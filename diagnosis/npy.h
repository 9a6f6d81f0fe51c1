// npy.h - writes one tensor as a .npy file, for a look at it in other tools.
#pragma once

#include <string>

#include "kernels/base/status.h"
#include "kernels/base/tensor.h"

namespace spinert {

// <folder>/<name>.npy with the rows in use; the folder is created; characters of the name that are not plain become
// '_'. F32, I32 and U8 only, others are skipped. Errors: E_OUTPUT.
Status write_npy(const std::string& folder, const std::string& name, const Tensor& tensor);

}  // namespace spinert
