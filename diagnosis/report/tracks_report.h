// tracks_report.h - the vertebrae of a study, over all its slices, for report.json and for the page.
#pragma once

#include <string>

#include "diagnosis/report/json_text.h"
#include "diagnosis/result.h"

namespace spinert {

// "tracks": [...], into the open root object.
void write_tracks(JsonText& json, const StudyResult& study);

// A table with one row for each track; empty without tracks. Links lead to the slice that a track was measured on.
std::string track_table(const StudyResult& study);

}  // namespace spinert
