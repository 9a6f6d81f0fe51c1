// slice_loop.h - every slice of a study through the pipeline, in order, and the judgement of the whole.
#pragma once

#include <functional>

#include "diagnosis/pipeline.h"
#include "diagnosis/result.h"
#include "diagnosis/slice_source.h"

namespace spinert {

// Told how a study goes on, in the order of the slices.
class StudyListener {
 public:
  virtual ~StudyListener() = default;
  virtual void begins(size_t done, size_t total, const std::string& name) = 0;
  virtual void ended(const SliceResult& slice, size_t done, size_t total) = 0;
};

// What is known before the first slice: examination, model and device, as reports name them.
void begin_study(Pipeline& pipeline, const SliceSource& source, StudyResult& study);

// Fills `study`, which begin_study() has begun. `keep` gets each finished slice and appends it to study.slices, without
// what its caller has no use for any more. The cancel flag and the deadline of `control` end the run: slices not looked
// at are failed ones. `problem`: the error of the first slice that could not be read; left alone if there is none.
// Errors: those of `keep`, and E_MODEL_HASH.
Status run_slices(Pipeline& pipeline, SliceSource& source, const RunControl& control, StudyListener& listener,
                  StudyResult& study, const std::function<Status(SliceResult)>& keep, Status& problem);

}  // namespace spinert
