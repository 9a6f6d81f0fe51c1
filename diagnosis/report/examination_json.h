// examination_json.h - the parts of report.json that say where slices came from (diagnosis/studies/examination.h).
#pragma once

#include "diagnosis/report/json_text.h"
#include "diagnosis/result.h"

namespace spinert {

// The fields of "input" after "kind" and "slices", into an open object.
void write_examination(JsonText& json, const Examination& examination);

// "place" of a slice and "patient" of a vertebra, each with its key.
void write_place(JsonText& json, const SlicePlace& place);
void write_patient_box(JsonText& json, const SlicePlace& place, const Box& box);

}  // namespace spinert
