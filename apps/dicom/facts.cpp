// facts.cpp - reads attributes one by one; numbers as decimal text are parsed here, without a locale and to the end.
#include "apps/dicom/facts.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <charconv>
#include <cmath>
#include <string_view>

namespace spinert {
namespace {

// DicomFacts are read until the first error; what is not there stays as it was.
class Attributes {
 public:
  explicit Attributes(DcmItem& dataset) : dataset_(dataset) {}

  const Status& status() const { return status_; }

  bool has(const DcmTagKey& tag) { return find(tag) != nullptr; }

  // The parts of a text value, without the spaces around them; none if it is missing or no text.
  std::vector<std::string> texts(const DcmTagKey& tag) {
    std::vector<std::string> parts;
    DcmElement* element = find(tag);
    if (!element) return parts;
    const unsigned long count = element->getVM();
    for (unsigned long i = 0; i < count && i < kMaxParts; ++i) {
      OFString part;
      if (element->getOFString(part, i).bad()) break;
      parts.push_back(trimmed({part.c_str(), part.length()}));
    }
    return parts;
  }
  std::string text(const DcmTagKey& tag) {
    const auto parts = texts(tag);
    return parts.empty() ? std::string() : parts.front();
  }

  // A whole number that must be there, of VR US and alone.
  int required(const DcmTagKey& tag, const char* name, ErrorId id) {
    DcmElement* element = find(tag);
    Uint16 value = 0;
    if (!element) {
      fail(error(id, std::string(name) + " is missing"));
    } else if (element->ident() != EVR_US || element->getVM() != 1 || element->getUint16(value, 0).bad()) {
      fail(error(id, std::string(name) + " is not one whole number")
               .expected("VR US, 1 value", "VR " + std::string(element->getTag().getVR().getVRName()) + ", " +
                                               std::to_string(element->getVM()) + " values"));
    }
    return value;
  }

  // Exactly `count` finite numbers, or none if the attribute is missing or empty.
  std::vector<double> numbers(const DcmTagKey& tag, const char* name, size_t count) {
    if (!has(tag) || find(tag)->getVM() == 0) return {};
    const auto parts = texts(tag);
    std::vector<double> values;
    for (const std::string& part : parts) {
      const auto value = parse(part);
      if (!value) break;
      values.push_back(*value);
    }
    if (values.size() != count || find(tag)->getVM() != count) {
      fail(error(ErrorId::E_DICOM_VALUE, std::string(name) + " is not what belongs there")
               .expected(std::to_string(count) + (count == 1 ? " number" : " numbers"), joined(parts)));
      return {};
    }
    return values;
  }
  std::optional<double> number(const DcmTagKey& tag, const char* name) {
    const auto values = numbers(tag, name, 1);
    return values.empty() ? std::nullopt : std::optional(values.front());
  }
  // Sixteen bits of VR US or SS, read as the pixels are: some writers take the other one.
  std::optional<int32_t> padding(const DcmTagKey& tag, const char* name, bool is_signed) {
    DcmElement* element = find(tag);
    if (!element || element->getVM() == 0) return {};
    Uint16 bits = 0;
    Sint16 with_sign = 0;
    const bool is_ss = element->ident() == EVR_SS;
    const OFCondition read = is_ss ? element->getSint16(with_sign, 0) : element->getUint16(bits, 0);
    if (read.bad()) {
      fail(error(ErrorId::E_DICOM_VALUE, std::string(name) + " is not one number of 16 bits"));
      return {};
    }
    if (is_ss) bits = static_cast<Uint16>(with_sign);
    return is_signed ? static_cast<int32_t>(static_cast<int16_t>(bits)) : static_cast<int32_t>(bits);
  }

  void fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  static std::optional<double> parse(std::string_view part) {
    if (part.starts_with('+')) part.remove_prefix(1);
    double value = 0;
    const auto [end, failure] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (failure != std::errc() || end != part.data() + part.size() || !std::isfinite(value)) return {};
    return value;
  }

 private:
  static constexpr unsigned long kMaxParts = 64;

  DcmElement* find(const DcmTagKey& tag) {
    DcmElement* element = nullptr;
    return dataset_.findAndGetElement(tag, element).good() ? element : nullptr;
  }
  static std::string trimmed(std::string_view part) {
    const auto padding = std::string_view(" \0", 2);
    const size_t first = part.find_first_not_of(padding);
    if (first == std::string_view::npos) return {};
    return std::string(part.substr(first, part.find_last_not_of(padding) - first + 1));
  }
  static std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "'" : "\\") + part;
    return text.empty() ? "none" : text + "'";
  }

  DcmItem& dataset_;
  Status status_;
};

void read_identity(Attributes& in, DicomFacts& facts) {
  facts.sop_class = in.text(DCM_SOPClassUID);
  facts.sop_instance = in.text(DCM_SOPInstanceUID);
  facts.study = in.text(DCM_StudyInstanceUID);
  facts.series = in.text(DCM_SeriesInstanceUID);
  facts.frame_of_reference = in.text(DCM_FrameOfReferenceUID);
  facts.modality = in.text(DCM_Modality);
  facts.image_type = in.texts(DCM_ImageType);
  facts.patient_position = in.text(DCM_PatientPosition);
  facts.series_description = in.text(DCM_SeriesDescription);
  facts.burned_in_text = in.text(DCM_BurnedInAnnotation) == "YES";
}

void read_pixel_module(Attributes& in, DicomFacts& facts) {
  facts.rows = in.required(DCM_Rows, "Rows", ErrorId::E_DICOM_DIM);
  facts.columns = in.required(DCM_Columns, "Columns", ErrorId::E_DICOM_DIM);
  facts.samples = in.required(DCM_SamplesPerPixel, "SamplesPerPixel", ErrorId::E_DICOM_VALUE);
  facts.bits_allocated = in.required(DCM_BitsAllocated, "BitsAllocated", ErrorId::E_DICOM_VALUE);
  facts.bits_stored = in.required(DCM_BitsStored, "BitsStored", ErrorId::E_DICOM_VALUE);
  facts.high_bit = in.required(DCM_HighBit, "HighBit", ErrorId::E_DICOM_VALUE);
  const int representation = in.required(DCM_PixelRepresentation, "PixelRepresentation", ErrorId::E_DICOM_VALUE);
  if (representation > 1) {
    in.fail(error(ErrorId::E_DICOM_VALUE, "PixelRepresentation makes no sense")
                .expected("0 or 1", std::to_string(representation)));
  }
  facts.is_signed = representation == 1;
  facts.photometric = in.text(DCM_PhotometricInterpretation);
  if (const auto frames = in.number(DCM_NumberOfFrames, "NumberOfFrames")) {
    if (*frames < 1 || *frames > 1e6 || *frames != std::floor(*frames)) {
      in.fail(error(ErrorId::E_DICOM_VALUE, "NumberOfFrames makes no sense")
                  .expected("1..1000000", in.text(DCM_NumberOfFrames)));
    } else {
      facts.frames = static_cast<int>(*frames);
    }
  }
  facts.padding_value = in.padding(DCM_PixelPaddingValue, "PixelPaddingValue", facts.is_signed);
  facts.padding_limit = in.padding(DCM_PixelPaddingRangeLimit, "PixelPaddingRangeLimit", facts.is_signed);
  facts.rescale_slope = in.number(DCM_RescaleSlope, "RescaleSlope");
  facts.rescale_intercept = in.number(DCM_RescaleIntercept, "RescaleIntercept");
}

void read_place(Attributes& in, DicomFacts& facts) {
  if (const auto p = in.numbers(DCM_ImagePositionPatient, "ImagePositionPatient", 3); !p.empty()) {
    facts.position = Vec3{p[0], p[1], p[2]};
  }
  if (const auto o = in.numbers(DCM_ImageOrientationPatient, "ImageOrientationPatient", 6); !o.empty()) {
    facts.row_direction = Vec3{o[0], o[1], o[2]};
    facts.column_direction = Vec3{o[3], o[4], o[5]};
  }
  if (const auto s = in.numbers(DCM_PixelSpacing, "PixelSpacing", 2); !s.empty()) {
    facts.row_spacing = s[0];
    facts.column_spacing = s[1];
  }
}

}  // namespace

Result<DicomFacts> read_dicom_facts(DcmItem& dataset, const TransferSyntax& syntax) {
  Attributes in(dataset);
  DicomFacts facts;
  facts.transfer_syntax = std::string(syntax.uid);
  facts.lossy = syntax.lossy || in.text(DCM_LossyImageCompression) == "01";
  read_identity(in, facts);
  if (!in.has(DCM_Rows) && !in.has(DCM_Columns) && !in.has(DCM_PixelData) && facts.modality != "CT") {
    // A slice that was cut between two of its first attributes looks like this.
    if (facts.modality.empty()) {
      return error(ErrorId::E_DICOM, "a DICOM file with neither a picture nor a modality")
          .hint("If it is a slice, copy or export it again.");
    }
    // A report, a plan: said plainly, because such files lie among the slices of most exports.
    return error(ErrorId::E_MODALITY, "a DICOM object without a picture")
        .expected("a CT slice", facts.modality)
        .hint("It can be left out.");
  }
  read_pixel_module(in, facts);
  read_place(in, facts);
  if (!in.status().ok()) return in.status();
  return facts;
}

}  // namespace spinert
