// dicom_object.h - a result as a plain description that `spinert-dicom` turns into a DICOM file: a picture (Secondary
// Capture) or a structured report (Comprehensive 3D SR). docs/dicom-output.md lists the attributes and codes.
//
// Who the patient is does not stand here: spinert-dicom takes it from a file of the examination, whose bytes go with
// the description. Texts are ASCII without a backslash, so that they are right in every character set of such a file;
// ascii_text() makes them so.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

struct DicomCode {
  std::string value, scheme, meaning;
};

struct DicomInstance {
  std::string sop_class, sop_instance;
};

enum class SrRelation : uint8_t { root, contains, observation_context, concept_modifier, acquisition_context };
enum class SrKind : uint8_t { container, text, code, number, uid, polygon, image };

// One item of the content of a report. The list of items is the tree, depth first; the first one is the root.
struct SrItem {
  uint8_t depth = 0;  // of the root; at most one more than that of the item before
  SrRelation relation = SrRelation::contains;
  SrKind kind = SrKind::container;
  DicomCode name;             // what the item is about; none for images
  std::string text;           // of a text, number (decimal), uid; of a polygon its frame of reference
  DicomCode code;             // of a code its value, of a number its unit
  std::vector<float> points;  // of a polygon: x, y, z in mm, the last point equal to the first
  DicomInstance image;        // of an image
  std::string template_id;    // of a container, in DCMR; may be empty
};

inline constexpr uint16_t kMaxSrItems = 60000, kMaxDicomSources = 20000, kMaxSrPoints = 64;
inline constexpr uint8_t kMaxSrDepth = 8;

struct DicomObject {
  bool is_report = false;
  std::string instance_uid, series_uid, device_uid;
  int32_t series_number = 0, instance_number = 0;
  std::string manufacturer, model_name, serial_number, software;  // of what made it
  std::string series_description;
  std::string time;  // YYYYMMDDHHMMSS of the content; empty: that of the study
  std::string source_series_uid;
  std::vector<DicomInstance> sources;  // what it was made from, of the study and series of the file
  // Of a picture.
  int32_t columns = 0, rows = 0;  // three bytes for each pixel: red, green, blue
  std::string comments, derivation;
  bool reformatted = false;
  // Of a report.
  bool complete = false;
  std::string completion;  // why it is not, or that it is
  std::vector<SrItem> items;
};

// What goes to spinert-dicom: the description, the file that says who the patient is, the pixels of a picture.
struct DicomJob {
  DicomObject object;
  std::span<const uint8_t> source, pixels;
};

// E_INTERNAL if a list is longer than the limits above.
Result<std::string> encode_dicom_object(const DicomObject& object);
Result<std::string> encode_dicom_job(const std::string& encoded_object, std::span<const uint8_t> source,
                                     std::span<const uint8_t> pixels);
// The spans point into `bytes`. E_SLICE_DECODE if they are not what encode_dicom_job writes.
Result<DicomJob> decode_dicom_job(std::span<const uint8_t> bytes);

// Printable ASCII without a backslash and at most `most` characters; a longer text ends in "...". The letters with two
// dots become two letters ("Kuemmell"), every other character a question mark.
std::string ascii_text(std::string_view text, size_t most);

// "2.25." and a decimal number: the first 16 bytes of the SHA-256 of `text`, marked as a UUID of version 8 (RFC 9562).
std::string uid_of_text(std::string_view text);
// The same of 32 hexadecimal digits or more, of which the first 32 count; empty if they are not that.
std::string uid_of_hex(std::string_view hex);

}  // namespace spinert
