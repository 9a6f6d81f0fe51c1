// result_modules.h - what pictures and reports have in common: the patient and the study of the source file, the
// series, the equipment. Pictures and reports fill the rest in (picture_object.cpp, report_object.cpp).
#pragma once

#include <string>

#include "diagnosis/studies/dicom_object.h"
#include "kernels/base/status.h"

class DcmDataset;
class DcmItem;
class DcmTagKey;

namespace spinert {

// A text that must fit; E_INTERNAL names the attribute otherwise.
Status put_text(DcmItem& to, const DcmTagKey& tag, const std::string& value);
// A sequence of one item more, with that code.
Status put_code(DcmItem& to, const DcmTagKey& sequence, const DicomCode& code);
// E_DICOM_VALUE unless it has at most 64 digits and dots.
Status check_uid(const std::string& uid, const std::string& what);

// Patient and study as the source has them, in its character set; the series and the equipment of the object; date and
// time of its content; the UIDs. Whatever a kind writes otherwise is replaced.
Status put_common(DcmItem& source, const DicomObject& object, DcmDataset& to);

// The rest of a kind, in front of put_common().
Status put_picture(const DicomJob& job, DcmItem& source, DcmDataset& to);
Status put_report(const DicomObject& object, const std::string& study_uid, DcmDataset& to);

}  // namespace spinert
