// pixels.cpp - native values from the data set, compressed ones through DCMTK's codecs or OpenJPEG.
#include "apps/dicom/pixels.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <span>
#include <string>

#include "apps/dicom/decoder_messages.h"
#include "apps/dicom/jpeg2000.h"
#include "apps/dicom/jpeg_header.h"
#include "apps/dicom/stored_values.h"
#include "diagnosis/studies/dicom_check.h"

namespace spinert {
namespace {

constexpr char kAgain[] = "Copy or export the file again.";

DcmPixelData* find_pixel_data(DcmDataset& dataset) {
  DcmElement* element = nullptr;
  if (dataset.findAndGetElement(DCM_PixelData, element).bad()) return nullptr;
  return dynamic_cast<DcmPixelData*>(element);
}

// Bytes of all frames without compression.
uint64_t native_bytes(const DicomFacts& facts) {
  if (facts.bits_allocated != 1) return frame_bytes(facts) * static_cast<uint64_t>(facts.frames);
  const uint64_t bits =
      static_cast<uint64_t>(facts.rows) * static_cast<uint64_t>(facts.columns) * static_cast<uint64_t>(facts.frames);
  return (bits + 7) / 8;
}

Status check_native(DcmPixelData& pixels, const DicomFacts& facts) {
  const uint64_t expected = native_bytes(facts);
  const uint64_t got = pixels.getLengthField();
  if (got == DCM_UndefinedLength) {
    return error(ErrorId::E_DICOM, "compressed PixelData in a transfer syntax without compression").hint(kAgain);
  }
  const std::string wanted = std::to_string(expected) + " bytes (Rows x Columns x BitsAllocated x frames)";
  if (got < expected) {
    return error(ErrorId::E_DICOM_TRUNCATED, "PixelData too short").expected(wanted, std::to_string(got)).hint(kAgain);
  }
  if (got > expected + 1) {
    return error(ErrorId::E_DICOM_LENGTH, "PixelData too long").expected(wanted, std::to_string(got)).hint(kAgain);
  }
  return {};
}

DcmPixelSequence* find_fragments(DcmDataset& dataset, DcmPixelData& pixels) {
  DcmPixelSequence* fragments = nullptr;
  const OFCondition found = pixels.getEncapsulatedRepresentation(dataset.getOriginalXfer(), nullptr, fragments);
  return found.good() ? fragments : nullptr;
}

std::span<const uint8_t> bytes_of(DcmPixelSequence& fragments, unsigned long index) {
  DcmPixelItem* item = nullptr;
  Uint8* bytes = nullptr;
  if (fragments.getItem(item, index).bad() || item == nullptr || item->getLengthField() == 0 ||
      item->getUint8Array(bytes).bad() || bytes == nullptr) {
    return {};
  }
  return {bytes, item->getLengthField()};
}

// Item 0 is the offset table: empty, or one offset of four bytes for each frame, of which the first is 0.
Status check_fragments(DcmPixelSequence* fragments, const DicomFacts& facts) {
  if (fragments == nullptr) {
    return error(ErrorId::E_DICOM, "PixelData without compression in a transfer syntax with it").hint(kAgain);
  }
  if (fragments->card() < 2 || bytes_of(*fragments, 1).empty()) {
    return error(ErrorId::E_DICOM_TRUNCATED, "compressed PixelData without a fragment")
        .expected("at least 1", "0")
        .hint(kAgain);
  }
  const auto table = bytes_of(*fragments, 0);
  if (facts.frames == 1 && !table.empty() && (table.size() != 4 || (table[0] | table[1] | table[2] | table[3]) != 0)) {
    return error(ErrorId::E_SLICE_DECODE, "the offset table of PixelData does not fit one frame")
        .expected("empty, or one offset of 0", std::to_string(table.size()) + " bytes")
        .hint(kAgain);
  }
  return {};
}

std::vector<uint8_t> joined(DcmPixelSequence& fragments) {
  std::vector<uint8_t> bytes;
  for (unsigned long i = 1; i < fragments.card(); ++i) {
    const auto part = bytes_of(fragments, i);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return bytes;
}

// DCMTK takes a JPEG picture of another size for one of this size.
Status check_jpeg(std::span<const uint8_t> stream, const DicomFacts& facts) {
  const auto header = read_jpeg_header(stream);
  if (!header) return error(ErrorId::E_SLICE_DECODE, "no JPEG picture in PixelData").hint(kAgain);
  if (header->rows != facts.rows || header->columns != facts.columns) {
    return error(ErrorId::E_DICOM_DIM, "JPEG picture of another size than Rows x Columns")
        .expected(std::to_string(facts.rows) + " x " + std::to_string(facts.columns),
                  std::to_string(header->rows) + " x " + std::to_string(header->columns));
  }
  if (header->components != 1) {
    return error(ErrorId::E_IMAGE_COLOUR, "JPEG picture with several components")
        .expected("1", std::to_string(header->components));
  }
  if (header->precision > facts.bits_stored) {
    return error(ErrorId::E_DICOM_VALUE, "JPEG picture with more bits than BitsStored")
        .expected("at most " + std::to_string(facts.bits_stored), std::to_string(header->precision));
  }
  return {};
}

// The header of 64 bytes: the count of segments, which is the bytes per value here, and where each begins.
Status check_rle(std::span<const uint8_t> stream, const DicomFacts& facts) {
  constexpr size_t kHeader = 64;
  const auto u32 = [&](size_t at) {
    return static_cast<uint32_t>(stream[at]) | static_cast<uint32_t>(stream[at + 1]) << 8 |
           static_cast<uint32_t>(stream[at + 2]) << 16 | static_cast<uint32_t>(stream[at + 3]) << 24;
  };
  const auto segments = static_cast<uint32_t>(facts.bits_allocated / 8);
  bool fits = segments >= 1 && stream.size() > kHeader && u32(0) == segments && u32(4) == kHeader;
  for (uint32_t i = 1; fits && i < segments; ++i) {
    fits = u32(4 + 4 * i) > u32(4 * i) && u32(4 + 4 * i) < stream.size();
  }
  if (fits) return {};
  return error(ErrorId::E_SLICE_DECODE, "the RLE header of PixelData does not fit")
      .expected(std::to_string(segments) + " segments, one behind the other", "something else")
      .hint(kAgain);
}

// The values in pixel memory, which DCMTK gives in the byte order of the machine, 16 bits at a time. `allocated`: what
// a value takes there.
Result<std::vector<int32_t>> values_in(DcmPixelData& pixels, int allocated, int bits, const DicomFacts& facts,
                                       bool big_endian) {
  const size_t count = static_cast<size_t>(facts.rows) * static_cast<size_t>(facts.columns);
  const auto bytes = static_cast<uint64_t>(pixels.getLengthField());
  if (bytes < (count * static_cast<size_t>(allocated) + 7) / 8) {
    return error(ErrorId::E_SLICE_DECODE, "the decoder gave too few pixels").hint(kAgain);
  }
  const auto no_memory = [] { return error(ErrorId::E_SLICE_DECODE, "the pixels cannot be accessed"); };
  if (allocated <= 8) {
    Uint8* at = nullptr;
    if (pixels.getUint8Array(at).bad() || at == nullptr) return no_memory();
    std::vector<uint16_t> words(count);
    for (size_t i = 0; i < count; ++i) words[i] = allocated == 8 ? at[i] : at[i / 8] >> (i % 8) & 1u;
    return stored_values(std::span<const uint16_t>(words), bits, facts);
  }
  Uint16* at = nullptr;
  if (pixels.getUint16Array(at).bad() || at == nullptr) return no_memory();
  if (allocated == 16) return stored_values(std::span<const uint16_t>(at, count), bits, facts);
  const size_t low = big_endian ? 1 : 0;
  std::vector<uint32_t> words(count);
  for (size_t i = 0; i < count; ++i) {
    words[i] = static_cast<uint32_t>(at[2 * i + low]) | static_cast<uint32_t>(at[2 * i + 1 - low]) << 16;
  }
  return stored_values(std::span<const uint32_t>(words), bits, facts);
}

Result<std::vector<int32_t>> read_jpeg2000(DcmPixelSequence& fragments, const DicomFacts& facts) {
  const std::vector<uint8_t> stream = joined(fragments);
  SPINERT_ASSIGN(Jpeg2000Picture picture, decode_jpeg2000(stream, facts.rows, facts.columns));
  if (picture.precision > facts.bits_allocated) {
    return error(ErrorId::E_DICOM_VALUE, "JPEG 2000 picture with more bits than BitsAllocated")
        .expected("at most " + std::to_string(facts.bits_allocated), std::to_string(picture.precision));
  }
  // A code stream whose sign differs from PixelRepresentation holds the right bits of its precision: they are taken
  // and read as the data set says.
  std::vector<uint32_t> words(picture.values.size());
  const uint32_t mask = (1u << picture.precision) - 1;  // at most 31 bits
  const uint32_t sign = 1u << (picture.precision - 1);
  for (size_t i = 0; i < words.size(); ++i) {
    const uint32_t bits = static_cast<uint32_t>(picture.values[i]) & mask;
    const bool negative = facts.is_signed && (bits & sign) != 0;
    words[i] = negative ? (bits | ~mask) : bits;
    if (facts.bits_allocated < 32) words[i] &= (1u << facts.bits_allocated) - 1;
  }
  return stored_values(std::span<const uint32_t>(words), facts.bits_allocated, facts);
}

}  // namespace

Status check_pixel_data(DcmDataset& dataset, const TransferSyntax& syntax, const DicomFacts& facts) {
  DcmPixelData* pixels = find_pixel_data(dataset);
  if (pixels == nullptr) {
    return error(ErrorId::E_DICOM_TRUNCATED, "there is no PixelData")
        .expected(std::to_string(native_bytes(facts)) + " bytes", "none")
        .hint(kAgain);
  }
  // Colour may be stored with fewer values than pixels, and is refused anyway.
  if (facts.samples != 1) return {};
  if (syntax.kind == SyntaxKind::native) return check_native(*pixels, facts);
  return check_fragments(find_fragments(dataset, *pixels), facts);
}

Result<std::vector<int32_t>> read_pixels(DcmDataset& dataset, const TransferSyntax& syntax, const DicomFacts& facts) {
  DcmPixelData& pixels = *find_pixel_data(dataset);
  if (syntax.kind == SyntaxKind::native) {
    const bool big_endian = dataset.getOriginalXfer() == EXS_BigEndianExplicit;
    return values_in(pixels, facts.bits_allocated, facts.bits_allocated, facts, big_endian);
  }
  DcmPixelSequence& fragments = *find_fragments(dataset, pixels);
  if (syntax.kind == SyntaxKind::jpeg_2000) return read_jpeg2000(fragments, facts);
  if (syntax.kind == SyntaxKind::rle) {
    SPINERT_TRY(check_rle(joined(fragments), facts));
  } else {
    SPINERT_TRY(check_jpeg(joined(fragments), facts));
  }
  clear_decoder_messages();
  const OFCondition decoded = dataset.chooseRepresentation(EXS_LittleEndianExplicit, nullptr);
  if (decoded.bad() || !first_decoder_message().empty()) {
    const std::string& message = first_decoder_message();
    return error(ErrorId::E_SLICE_DECODE,
                 "the decoder refused PixelData: " + (message.empty() ? std::string(decoded.text()) : message))
        .hint(kAgain);
  }
  // A JPEG picture of up to 8 bits comes back with 8, whatever BitsAllocated said before.
  Uint16 allocated = 0;
  if (dataset.findAndGetUint16(DCM_BitsAllocated, allocated).bad() ||
      (allocated != 8 && allocated != 16 && allocated != 32) || allocated > facts.bits_allocated) {
    return error(ErrorId::E_SLICE_DECODE, "the decoder gave pixels of an unexpected kind");
  }
  return values_in(*find_pixel_data(dataset), allocated, std::max<int>(allocated, facts.bits_stored), facts, false);
}

}  // namespace spinert
