// decode.cpp - the order of the steps: parse, facts, are they sound, is what they promise there, decode.
#include "apps/dicom/decode.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

#include "apps/dicom/decoder_messages.h"
#include "apps/dicom/facts.h"
#include "apps/dicom/jpeg2000.h"
#include "apps/dicom/parse.h"
#include "apps/dicom/pixels.h"
#include "diagnosis/studies/dicom_check.h"

namespace spinert {

Status prepare_decoders() {
  collect_decoder_messages();
  if (!dcmDataDict.isDictionaryLoaded()) {
    return error(ErrorId::E_NO_DICOM, "DCMTK has no data dictionary")
        .hint("Install DCMTK's data files, or set DCMDICTPATH to dicom.dic.");
  }
  DcmRLEDecoderRegistration::registerCodecs();
  // Colour is refused before: nothing is to be converted.
  DJDecoderRegistration::registerCodecs(EDC_never);
  DJLSDecoderRegistration::registerCodecs();
  return {};
}

std::string decoder_libraries() {
  return "DCMTK " OFFIS_DCMTK_VERSION_STRING ", OpenJPEG " + openjpeg_version();
}

Result<DicomFile> decode_dicom(std::span<const uint8_t> bytes, bool pixels) {
  SPINERT_ASSIGN(const ParsedFile parsed, parse_dicom(bytes));
  DicomFile file;
  SPINERT_ASSIGN(file.facts, read_dicom_facts(parsed.dataset(), parsed.syntax));
  SPINERT_TRY(check_pixel_facts(file.facts));
  SPINERT_TRY(check_pixel_data(parsed.dataset(), parsed.syntax, file.facts));
  if (!pixels) return file;
  SPINERT_TRY(check_one_grey_frame(file.facts));
  SPINERT_ASSIGN(file.stored, read_pixels(parsed.dataset(), parsed.syntax, file.facts));
  return file;
}

}  // namespace spinert
