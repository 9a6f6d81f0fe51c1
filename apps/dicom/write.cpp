// write.cpp - the order of the steps: description, source file, the kind of object, what is common, bytes.
#include "apps/dicom/write.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dctk.h>

#include "apps/dicom/parse.h"
#include "apps/dicom/result_modules.h"

namespace spinert {
namespace {

Result<std::string> uid_of(DcmItem& source, const DcmTagKey& tag, const char* name) {
  OFString value;
  source.findAndGetOFString(tag, value);
  std::string uid(value.c_str(), value.length());
  SPINERT_TRY(check_uid(uid, name));
  return uid;
}

Result<std::string> bytes_of(DcmFileFormat& file) {
  constexpr auto kSyntax = EXS_LittleEndianExplicit;
  if (file.validateMetaInfo(kSyntax).bad()) return error(ErrorId::E_INTERNAL, "DCMTK makes no meta header");
  std::string bytes(file.calcElementLength(kSyntax, EET_ExplicitLength), '\0');
  DcmOutputBufferStream stream(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  file.transferInit();
  const OFCondition written = file.write(stream, kSyntax, EET_ExplicitLength, nullptr);
  file.transferEnd();
  void* begin = nullptr;
  offile_off_t length = 0;
  stream.flushBuffer(begin, length);
  if (written.bad()) return error(ErrorId::E_INTERNAL, std::string("DCMTK writes no file: ") + written.text());
  bytes.resize(static_cast<size_t>(length));
  return bytes;
}

}  // namespace

Result<std::string> write_dicom(std::span<const uint8_t> bytes) {
  SPINERT_ASSIGN(const DicomJob job, decode_dicom_job(bytes));
  SPINERT_ASSIGN(const ParsedFile parsed, parse_dicom(job.source));
  DcmDataset& source = parsed.dataset();
  SPINERT_ASSIGN(const std::string study, uid_of(source, DCM_StudyInstanceUID, "StudyInstanceUID"));
  SPINERT_ASSIGN(const std::string series, uid_of(source, DCM_SeriesInstanceUID, "SeriesInstanceUID"));
  if (series != job.object.source_series_uid) {
    return error(ErrorId::E_INTERNAL, "a DICOM result was to be made for a file of another series");
  }
  DcmFileFormat file;
  SPINERT_TRY(job.object.is_report ? put_report(job.object, study, *file.getDataset())
                                   : put_picture(job, source, *file.getDataset()));
  SPINERT_TRY(put_common(source, job.object, *file.getDataset()));
  return bytes_of(file);
}

}  // namespace spinert
