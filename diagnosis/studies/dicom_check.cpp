// dicom_check.cpp - the rules of BI-05, BI-13, BI-16a and BI-19.
#include "diagnosis/studies/dicom_check.h"

#include <algorithm>

#include "diagnosis/images/limits.h"

namespace spinert {
namespace {

constexpr char kCtImage[] = "1.2.840.10008.5.1.4.1.1.2";
constexpr size_t kMaxUid = 64;
constexpr char kConventional[] = "Give original CT slices, one per file.";

std::string size_text(const DicomFacts& facts) {
  return std::to_string(facts.rows) + " x " + std::to_string(facts.columns);
}

Status bad_value(const char* attribute, const std::string& expected, int got) {
  return error(ErrorId::E_DICOM_VALUE, std::string(attribute) + " makes no sense")
      .expected(expected, std::to_string(got));
}

}  // namespace

bool is_uid(std::string_view text) {
  if (text.empty() || text.size() > kMaxUid) return false;
  for (size_t begin = 0; begin <= text.size();) {
    const std::string_view part = text.substr(begin, text.find('.', begin) - begin);
    if (part.empty() || (part.size() > 1 && part[0] == '0')) return false;
    if (!std::ranges::all_of(part, [](char c) { return '0' <= c && c <= '9'; })) return false;
    begin += part.size() + 1;
  }
  return true;
}

Status check_pixel_facts(const DicomFacts& facts) {
  constexpr int kMaxSide = static_cast<int>(kMaxPictureSide);
  if (facts.rows < 1 || facts.columns < 1 || facts.rows > kMaxSide || facts.columns > kMaxSide) {
    return error(ErrorId::E_DICOM_DIM, "Rows x Columns out of range")
        .expected("1.." + std::to_string(kMaxSide) + " each", size_text(facts));
  }
  if (static_cast<uint64_t>(facts.rows) * static_cast<uint64_t>(facts.columns) > kMaxPicturePixels) {
    return error(ErrorId::E_DICOM_DIM, "too many pixels")
        .expected("at most " + std::to_string(kMaxPicturePixels), size_text(facts));
  }
  if (facts.samples != 1 && facts.samples != 3 && facts.samples != 4) {
    return bad_value("SamplesPerPixel", "1, 3 or 4", facts.samples);
  }
  if (facts.frames < 1) return bad_value("NumberOfFrames", "at least 1", facts.frames);
  const int allocated = facts.bits_allocated;
  if (allocated != 1 && allocated != 8 && allocated != 16 && allocated != 32) {
    return bad_value("BitsAllocated", "1, 8, 16 or 32", allocated);
  }
  if (facts.bits_stored < 1 || facts.bits_stored > allocated) {
    return bad_value("BitsStored", "1.." + std::to_string(allocated) + " (BitsAllocated)", facts.bits_stored);
  }
  if (facts.high_bit != facts.bits_stored - 1) {
    return bad_value("HighBit", std::to_string(facts.bits_stored - 1) + " (BitsStored - 1)", facts.high_bit);
  }
  return {};
}

uint64_t frame_bytes(const DicomFacts& facts) {
  // At most 64e6 * 4 * 32 bits after check_pixel_facts: no overflow.
  const uint64_t values =
      static_cast<uint64_t>(facts.rows) * static_cast<uint64_t>(facts.columns) * static_cast<uint64_t>(facts.samples);
  return (values * static_cast<uint64_t>(facts.bits_allocated) + 7) / 8;
}

Status check_one_grey_frame(const DicomFacts& facts) {
  if (facts.samples != 1) {
    return error(ErrorId::E_IMAGE_COLOUR, "a colour picture")
        .expected("one value per pixel", std::to_string(facts.samples) + " (" + facts.photometric + ")")
        .hint(kConventional);
  }
  if (facts.frames != 1) {
    return error(ErrorId::E_MODALITY, "several frames in one file")
        .expected("1 frame", std::to_string(facts.frames))
        .hint("Export the series with one slice per file, or convert it, for example with emf2sf of dcm4che.");
  }
  return {};
}

Status check_ct_object(const DicomFacts& facts) {
  if (facts.modality != "CT") {
    return error(ErrorId::E_MODALITY, "not a CT slice")
        .expected("modality CT", facts.modality.empty() ? "none" : facts.modality)
        .hint(kConventional);
  }
  if (facts.frames != 1) return check_one_grey_frame(facts);
  // Secondary captures, segmentations and private classes may call themselves CT as well.
  if (facts.sop_class != kCtImage) {
    return error(ErrorId::E_MODALITY, "not a CT slice but another object")
        .expected(std::string("SOP class ") + kCtImage + " (CT Image Storage)",
                  facts.sop_class.empty() ? "none" : facts.sop_class)
        .hint(kConventional);
  }
  return {};
}

Status check_same_file(const DicomFacts& facts, const std::string& sha256) {
  if (facts.sha256 == sha256) return {};
  return error(ErrorId::E_INPUT_CHANGED, "the file changed while the study was read", facts.path)
      .hint("Wait until the study is complete, then run again.");
}

Status check_usable(const DicomFacts& facts) {
  SPINERT_TRY(check_ct_object(facts));
  SPINERT_TRY(check_one_grey_frame(facts));
  if (facts.photometric != "MONOCHROME1" && facts.photometric != "MONOCHROME2") {
    return error(ErrorId::E_IMAGE_COLOUR, "values that are no grey levels")
        .expected("MONOCHROME1 or MONOCHROME2", facts.photometric.empty() ? "none" : facts.photometric)
        .hint(kConventional);
  }
  return check_pixel_facts(facts);
}

}  // namespace spinert
