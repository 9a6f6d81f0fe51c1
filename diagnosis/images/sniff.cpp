// sniff.cpp - the table of signatures.
#include "diagnosis/images/sniff.h"

#include <algorithm>
#include <string>

namespace spinert {
namespace {

using namespace std::string_view_literals;

constexpr auto kPngSignature = "\x89PNG\r\n\x1a\n"sv;
constexpr auto kConvert = "Convert it to PNG without loss, for example with ImageMagick: convert FILE slice.png."sv;
constexpr auto kExamination = "'spinert diagnose' reads it as an examination; elsewhere give a PNG of the slice."sv;
constexpr auto kNotPicture = "Give a PNG or JPEG picture."sv;

struct Signature {
  size_t offset;
  std::string_view bytes;
  Content content;
};

constexpr Signature kSignatures[] = {
    {128, "DICM"sv, {ContentKind::dicom, "a DICOM file"sv, kExamination}},
    {344, "n+1\0"sv, {ContentKind::nifti, "a NIfTI volume"sv, kExamination}},
    {4, "n+2\0\r\n\032\n"sv, {ContentKind::nifti, "a NIfTI-2 volume"sv, kExamination}},
    {344,
     "ni1\0"sv,
     {ContentKind::other_picture, "a NIfTI header without its voxels"sv,
      "Convert the pair to one .nii file, for example with nifti_tool."sv}},
    {0, "GIF87a"sv, {ContentKind::other_picture, "a GIF picture"sv, kConvert}},
    {0, "GIF89a"sv, {ContentKind::other_picture, "a GIF picture"sv, kConvert}},
    {0, "II*\0"sv, {ContentKind::other_picture, "a TIFF picture"sv, kConvert}},
    {0, "MM\0*"sv, {ContentKind::other_picture, "a TIFF picture"sv, kConvert}},
    {0, "II+\0"sv, {ContentKind::other_picture, "a BigTIFF picture"sv, kConvert}},
    {0, "MM\0+"sv, {ContentKind::other_picture, "a BigTIFF picture"sv, kConvert}},
    {0, "8BPS"sv, {ContentKind::other_picture, "a Photoshop picture"sv, kConvert}},
    {0, "\0\0\0\x0cjP  \r\n\x87\n"sv, {ContentKind::other_picture, "a JPEG 2000 picture"sv, kConvert}},
    {0, "\xff\x4f\xff\x51"sv, {ContentKind::other_picture, "a JPEG 2000 code stream"sv, kConvert}},
    {0, "\0\0\0\x0cJXL \r\n\x87\n"sv, {ContentKind::other_picture, "a JPEG XL picture"sv, kConvert}},
    {4, "ftypheic"sv, {ContentKind::other_picture, "a HEIC picture"sv, kConvert}},
    {4, "ftypmif1"sv, {ContentKind::other_picture, "a HEIF picture"sv, kConvert}},
    {4, "ftypavif"sv, {ContentKind::other_picture, "an AVIF picture"sv, kConvert}},
    {0, "P5\n"sv, {ContentKind::other_picture, "a PGM picture"sv, kConvert}},
    {0, "P6\n"sv, {ContentKind::other_picture, "a PPM picture"sv, kConvert}},
    {0, "\x8bJNG\r\n\x1a\n"sv, {ContentKind::other_picture, "a JNG picture"sv, kConvert}},
    {0, "\x8aMNG\r\n\x1a\n"sv, {ContentKind::other_picture, "an MNG animation"sv, kConvert}},
    {0, "\x1f\x8b"sv, {ContentKind::gzip, "gzip-compressed data"sv, "Unpack it; a picture must be PNG or JPEG."sv}},
    {0,
     "PK\3\4"sv,
     {ContentKind::zip, "a zip archive or a PyTorch checkpoint"sv,
      "'spinert diagnose' reads the DICOM files of an archive; a checkpoint goes to 'spinert convert'."sv}},
    {0, "PK\5\6"sv, {ContentKind::zip, "an empty zip archive"sv, kNotPicture}},
    {0, "%PDF-"sv, {ContentKind::unknown, "a PDF document"sv, "Export the slice as PNG."sv}},
    {0,
     "\x7f"
     "ELF"sv,
     {ContentKind::unknown, "an ELF program"sv, kNotPicture}},
};

bool has_at(std::string_view text, size_t offset, std::string_view what) {
  return text.size() >= offset && text.substr(offset).starts_with(what);
}

// Text that a server or an editor put where a picture should be.
Content sniff_text(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {ContentKind::unknown, "blank text", kNotPicture};
  std::string head(text.substr(first, 16));
  // ASCII only: std::tolower would follow the locale.
  for (char& c : head) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const auto tag : {"<!doctype html"sv, "<html"sv, "<head"sv, "<body"sv}) {
    if (head.starts_with(tag)) {
      return {ContentKind::unknown, "an HTML page", "It may be a server's error page; download the picture again."};
    }
  }
  if (head.starts_with("<?xml") || head.starts_with("<svg")) return {ContentKind::unknown, "XML text", kNotPicture};
  const auto sample = text.substr(0, 512);
  const bool printable = std::all_of(sample.begin(), sample.end(), [](char c) {
    return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\r' || c == '\n';
  });
  if (printable) return {ContentKind::unknown, "plain text", kNotPicture};
  return {ContentKind::unknown, "unknown data", kNotPicture};
}

}  // namespace

Content sniff(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return {ContentKind::unknown, "an empty file", "Copy or export the picture again."};
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  // "\x89PNG" with a wrong rest is a PNG that went through a text-mode transfer: PN-01 will say so.
  if (text.starts_with(kPngSignature.substr(0, 4)) || kPngSignature.starts_with(text))
    return {ContentKind::png, "PNG", {}};
  if (text.starts_with("\xff\xd8")) return {ContentKind::jpeg, "JPEG", {}};
  for (const Signature& signature : kSignatures) {
    if (has_at(text, signature.offset, signature.bytes)) return signature.content;
  }
  if (text.starts_with("RIFF") && has_at(text, 8, "WEBP"))
    return {ContentKind::other_picture, "a WebP picture", kConvert};
  // "BM" alone is too short a signature: the four reserved bytes must be zero as well.
  if (text.starts_with("BM") && has_at(text, 6, "\0\0\0\0"sv)) {
    return {ContentKind::other_picture, "a BMP picture", kConvert};
  }
  return sniff_text(text);
}

}  // namespace spinert
