#include "apps/dicom/result_modules.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <utility>

namespace spinert {
namespace {

constexpr unsigned long kMaxIdentityBytes = 4096;  // of one attribute; the longest that the standard allows has 1024

struct Copied {
  DcmTagKey tag;
  const char* name;
  bool required;  // written without a value where the source lacks it (type 2)
};

// Of the patient and the study. The character set is that of all texts, so it comes along.
const Copied kIdentity[] = {
    {DCM_SpecificCharacterSet, "SpecificCharacterSet", false},
    {DCM_TimezoneOffsetFromUTC, "TimezoneOffsetFromUTC", false},
    {DCM_StudyDate, "StudyDate", true},
    {DCM_StudyTime, "StudyTime", true},
    {DCM_AccessionNumber, "AccessionNumber", true},
    {DCM_ReferringPhysicianName, "ReferringPhysicianName", true},
    {DCM_StudyDescription, "StudyDescription", false},
    {DCM_PatientName, "PatientName", true},
    {DCM_PatientID, "PatientID", true},
    {DCM_IssuerOfPatientID, "IssuerOfPatientID", false},
    {DCM_PatientBirthDate, "PatientBirthDate", true},
    {DCM_PatientSex, "PatientSex", true},
    {DCM_PatientAge, "PatientAge", false},
    {DCM_PatientSize, "PatientSize", false},
    {DCM_PatientWeight, "PatientWeight", false},
    {DCM_PatientIdentityRemoved, "PatientIdentityRemoved", false},
    {DCM_DeidentificationMethod, "DeidentificationMethod", false},
    {DCM_StudyInstanceUID, "StudyInstanceUID", true},
    {DCM_StudyID, "StudyID", true},
};

DcmElement* find(DcmItem& item, const DcmTagKey& tag) {
  DcmElement* element = nullptr;
  return item.findAndGetElement(tag, element).good() ? element : nullptr;
}

// The value as it is in the file, in its character set.
Result<std::string> text_of(DcmElement& element, const char* name) {
  OFString value;
  if (dynamic_cast<DcmByteString*>(&element) == nullptr ||
      element.getLength(EXS_LittleEndianExplicit) > kMaxIdentityBytes ||
      element.getOFStringArray(value, OFFalse).bad()) {
    // The value may name the patient, so it is not repeated.
    return error(ErrorId::E_DICOM_VALUE, std::string(name) + " of the examination cannot be taken for a DICOM result")
        .expected("a text of at most " + std::to_string(kMaxIdentityBytes) + " bytes",
                  "VR " + std::string(element.getTag().getVR().getVRName()) + ", " +
                      std::to_string(element.getLength(EXS_LittleEndianExplicit)) + " bytes")
        .hint("Correct the attribute in the files, or leave --dicom-output out.");
  }
  return std::string(value.c_str(), value.length());
}

bool all_digits(const std::string& text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Date and time of the content: those of the object, else the first that the source has.
Result<std::pair<std::string, std::string>> content_time(DcmItem& source, const std::string& wanted) {
  if (!wanted.empty()) {
    if (wanted.size() != 14 || !all_digits(wanted)) {
      return error(ErrorId::E_USAGE, "not a date and time").expected("YYYYMMDDHHMMSS", wanted);
    }
    return std::pair(wanted.substr(0, 8), wanted.substr(8));
  }
  const std::pair<DcmTagKey, DcmTagKey> places[] = {{DCM_StudyDate, DCM_StudyTime},
                                                    {DCM_SeriesDate, DCM_SeriesTime},
                                                    {DCM_AcquisitionDate, DCM_AcquisitionTime},
                                                    {DCM_ContentDate, DCM_ContentTime}};
  for (const auto& [date_tag, time_tag] : places) {
    OFString date, time;
    source.findAndGetOFString(date_tag, date);
    source.findAndGetOFString(time_tag, time);
    std::string day(date.c_str(), date.length()), hour(time.c_str(), time.length());
    if (day.size() != 8 || !all_digits(day)) continue;
    // Parts of a second are left out; a time that is none counts as midnight.
    hour = hour.substr(0, hour.find('.'));
    if ((hour.size() != 2 && hour.size() != 4 && hour.size() != 6) || !all_digits(hour)) hour = "000000";
    return std::pair(day, hour);
  }
  return error(ErrorId::E_DICOM_VALUE, "the examination has no date, and a DICOM result must have one")
      .hint("Give one with --dicom-time YYYYMMDDHHMMSS.");
}

Status put_equipment(const DicomObject& object, DcmItem& to) {
  SPINERT_TRY(put_text(to, DCM_Manufacturer, object.manufacturer));
  SPINERT_TRY(put_text(to, DCM_ManufacturerModelName, object.model_name));
  SPINERT_TRY(put_text(to, DCM_DeviceSerialNumber, object.serial_number));
  SPINERT_TRY(put_text(to, DCM_SoftwareVersions, object.software));
  return put_text(to, DCM_DeviceUID, object.device_uid);
}

}  // namespace

Status put_text(DcmItem& to, const DcmTagKey& tag, const std::string& value) {
  if (to.putAndInsertString(tag, value.c_str()).good()) return {};
  return error(ErrorId::E_INTERNAL, "DCMTK does not take a value of " + std::string(DcmTag(tag).getTagName()));
}

Status put_code(DcmItem& to, const DcmTagKey& sequence, const DicomCode& code) {
  DcmItem* item = nullptr;
  if (to.findOrCreateSequenceItem(sequence, item, -2).bad() || item == nullptr) {
    return error(ErrorId::E_INTERNAL, "DCMTK does not take a code");
  }
  SPINERT_TRY(put_text(*item, DCM_CodeValue, code.value));
  SPINERT_TRY(put_text(*item, DCM_CodingSchemeDesignator, code.scheme));
  return put_text(*item, DCM_CodeMeaning, code.meaning);
}

Status check_uid(const std::string& uid, const std::string& what) {
  constexpr size_t kLongest = 64;
  const bool plain = std::ranges::all_of(uid, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  if (!uid.empty() && uid.size() <= kLongest && plain) return {};
  return error(ErrorId::E_DICOM_VALUE, what + " is not a UID, and a DICOM result would have to refer to it")
      .expected("1 to 64 digits and dots", std::to_string(uid.size()) + " characters")
      .hint("Correct the attribute in the files, or leave --dicom-output out.");
}

Status put_common(DcmItem& source, const DicomObject& object, DcmDataset& to) {
  for (const Copied& one : kIdentity) {
    DcmElement* element = find(source, one.tag);
    if (element == nullptr && !one.required) {
      to.findAndDeleteElement(one.tag);
      continue;
    }
    std::string value;
    if (element != nullptr) {
      SPINERT_ASSIGN(value, text_of(*element, one.name));
    }
    if (to.putAndInsertOFStringArray(one.tag, OFString(value.c_str(), value.size())).bad()) {
      return error(ErrorId::E_INTERNAL, "DCMTK does not take a value of " + std::string(one.name));
    }
  }
  // Goes with the method above: how a file was made anonymous.
  DcmElement* method = nullptr;
  if (source.findAndGetElement(DCM_DeidentificationMethodCodeSequence, method, OFFalse, OFTrue).good() &&
      to.insert(method, OFTrue).bad()) {
    delete method;
    return error(ErrorId::E_INTERNAL, "DCMTK does not take the method of de-identification");
  }

  SPINERT_TRY(put_text(to, DCM_SOPInstanceUID, object.instance_uid));
  SPINERT_TRY(put_text(to, DCM_SeriesInstanceUID, object.series_uid));
  SPINERT_TRY(put_text(to, DCM_SeriesNumber, std::to_string(object.series_number)));
  SPINERT_TRY(put_text(to, DCM_InstanceNumber, std::to_string(object.instance_number)));
  SPINERT_TRY(put_text(to, DCM_SeriesDescription, object.series_description));
  SPINERT_ASSIGN(const auto time, content_time(source, object.time));
  for (const DcmTagKey& tag : {DCM_SeriesDate, DCM_ContentDate}) SPINERT_TRY(put_text(to, tag, time.first));
  for (const DcmTagKey& tag : {DCM_SeriesTime, DCM_ContentTime}) SPINERT_TRY(put_text(to, tag, time.second));
  // The time of writing would make every run another file.
  for (const DcmTagKey& tag : {DCM_InstanceCreationDate, DCM_InstanceCreationTime, DCM_InstanceCreatorUID}) {
    to.findAndDeleteElement(tag);
  }

  SPINERT_TRY(put_equipment(object, to));
  DcmItem* contribution = nullptr;
  if (to.findOrCreateSequenceItem(DCM_ContributingEquipmentSequence, contribution, -2).bad() || !contribution) {
    return error(ErrorId::E_INTERNAL, "DCMTK does not take the contributing equipment");
  }
  SPINERT_TRY(put_code(*contribution, DCM_PurposeOfReferenceCodeSequence, {"109102", "DCM", "Processing Equipment"}));
  SPINERT_TRY(put_equipment(object, *contribution));
  return put_text(*contribution, DCM_ContributionDescription,
                  "Detection and classification of vertebrae. Research use only.");
}

}  // namespace spinert
