// earlier_files.h - what an earlier run left in a folder of results, read from its report.json.
#pragma once

#include <string>
#include <vector>

#include "diagnosis/report/report_json.h"

namespace spinert {

// The previews, slices and DICOM files that the report in that folder names: plain file names with their prefix, and
// hashes. Empty if there is no report, or it cannot be understood, or has more than 1 GiB. The report is read as a
// stream and only its list of files is kept.
std::vector<WrittenFile> earlier_files(const std::string& folder);

// Whether a file is still the one that the report named.
bool unchanged(const std::string& folder, const WrittenFile& file);

}  // namespace spinert
