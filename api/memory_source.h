// memory_source.h - the caller's pictures as the slices of a study.
#pragma once

#include <memory>
#include <span>

#include "api/handles.h"
#include "diagnosis/slice_source.h"

namespace spinert::api {

// The pictures are read when the study is run, so they must stay until then. E_USAGE for what no file could be: null
// pointers, too few bytes, numbers that are none; E_GEOM_MISSING for pixels that are not square. What is wrong with a
// picture's content or size is an error of that slice.
Result<std::unique_ptr<SliceSource>> memory_source(std::span<const spinert_picture* const> pictures);

}  // namespace spinert::api
