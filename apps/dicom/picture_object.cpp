// picture_object.cpp - a picture as Secondary Capture Image Storage: true colour, not compressed, one file per picture.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include "apps/dicom/result_modules.h"

namespace spinert {
namespace {

// A picture made of a picture that was stored with losses has them, too, and says how large they were.
Status put_losses(DcmItem& source, DcmDataset& to) {
  OFString lossy;
  source.findAndGetOFString(DCM_LossyImageCompression, lossy);
  SPINERT_TRY(put_text(to, DCM_LossyImageCompression, lossy == "01" ? "01" : "00"));
  if (lossy != "01") return {};
  for (const DcmTagKey& tag : {DCM_LossyImageCompressionRatio, DCM_LossyImageCompressionMethod}) {
    OFString value;
    if (source.findAndGetOFStringArray(tag, value).good() && !value.empty()) {
      SPINERT_TRY(put_text(to, tag, {value.c_str(), value.length()}));
    }
  }
  return {};
}

Status put_sources(const DicomObject& object, DcmDataset& to) {
  for (const DicomInstance& instance : object.sources) {
    SPINERT_TRY(check_uid(instance.sop_class, "SOPClassUID"));
    SPINERT_TRY(check_uid(instance.sop_instance, "SOPInstanceUID"));
    DcmItem* item = nullptr;
    if (to.findOrCreateSequenceItem(DCM_SourceImageSequence, item, -2).bad() || item == nullptr) {
      return error(ErrorId::E_INTERNAL, "DCMTK does not take a source image");
    }
    SPINERT_TRY(put_text(*item, DCM_ReferencedSOPClassUID, instance.sop_class));
    SPINERT_TRY(put_text(*item, DCM_ReferencedSOPInstanceUID, instance.sop_instance));
    SPINERT_TRY(put_code(*item, DCM_PurposeOfReferenceCodeSequence,
                         {"121322", "DCM", "Source image for image processing operation"}));
  }
  return {};
}

Status put_number(DcmItem& to, const DcmTagKey& tag, int value) {
  if (to.putAndInsertUint16(tag, static_cast<Uint16>(value)).good()) return {};
  return error(ErrorId::E_INTERNAL, "DCMTK does not take a number of " + std::string(DcmTag(tag).getTagName()));
}

}  // namespace

Status put_picture(const DicomJob& job, DcmItem& source, DcmDataset& to) {
  const DicomObject& object = job.object;
  SPINERT_TRY(put_text(to, DCM_SOPClassUID, UID_SecondaryCaptureImageStorage));
  SPINERT_TRY(put_text(to, DCM_Modality, "OT"));
  SPINERT_TRY(put_text(to, DCM_ConversionType, "WSD"));
  SPINERT_TRY(put_text(to, DCM_SecondaryCaptureDeviceManufacturer, object.manufacturer));
  SPINERT_TRY(put_text(to, DCM_SecondaryCaptureDeviceManufacturerModelName, object.model_name));
  SPINERT_TRY(put_text(to, DCM_SecondaryCaptureDeviceSoftwareVersions, object.software));
  SPINERT_TRY(put_text(to, DCM_ImageType, "DERIVED\\SECONDARY"));
  // Head up, front to the left: rows run to the back, columns to the feet.
  SPINERT_TRY(put_text(to, DCM_PatientOrientation, "P\\F"));
  SPINERT_TRY(put_text(to, DCM_BodyPartExamined, "SPINE"));
  SPINERT_TRY(put_text(to, DCM_ImageComments, object.comments));
  SPINERT_TRY(put_text(to, DCM_DerivationDescription, object.derivation));
  if (object.reformatted) {
    SPINERT_TRY(put_code(to, DCM_DerivationCodeSequence, {"113072", "DCM", "Multiplanar reformatting"}));
  }
  SPINERT_TRY(put_sources(object, to));
  SPINERT_TRY(put_text(to, DCM_BurnedInAnnotation, "YES"));
  SPINERT_TRY(put_losses(source, to));
  SPINERT_TRY(put_number(to, DCM_SamplesPerPixel, 3));
  SPINERT_TRY(put_text(to, DCM_PhotometricInterpretation, "RGB"));
  SPINERT_TRY(put_number(to, DCM_PlanarConfiguration, 0));
  SPINERT_TRY(put_number(to, DCM_Rows, object.rows));
  SPINERT_TRY(put_number(to, DCM_Columns, object.columns));
  SPINERT_TRY(put_number(to, DCM_BitsAllocated, 8));
  SPINERT_TRY(put_number(to, DCM_BitsStored, 8));
  SPINERT_TRY(put_number(to, DCM_HighBit, 7));
  SPINERT_TRY(put_number(to, DCM_PixelRepresentation, 0));
  if (to.putAndInsertUint8Array(DCM_PixelData, job.pixels.data(), job.pixels.size()).bad()) {
    return error(ErrorId::E_INTERNAL, "DCMTK does not take the pixels");
  }
  return {};
}

}  // namespace spinert
