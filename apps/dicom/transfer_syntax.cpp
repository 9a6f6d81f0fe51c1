// transfer_syntax.cpp - the tables; UIDs and names are those of DICOM PS3.6, Annex A.
#include "apps/dicom/transfer_syntax.h"

#include <algorithm>
#include <iterator>

namespace spinert {
namespace {

constexpr TransferSyntax kRead[] = {
    {"1.2.840.10008.1.2", "Implicit VR Little Endian", SyntaxKind::native, false},
    {"1.2.840.10008.1.2.1", "Explicit VR Little Endian", SyntaxKind::native, false},
    {"1.2.840.10008.1.2.2", "Explicit VR Big Endian", SyntaxKind::native, false},
    {"1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", SyntaxKind::native, false},
    {"1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)", SyntaxKind::jpeg, true},
    {"1.2.840.10008.1.2.4.51", "JPEG Extended (Process 2 and 4)", SyntaxKind::jpeg, true},
    {"1.2.840.10008.1.2.4.53", "JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)", SyntaxKind::jpeg, true},
    {"1.2.840.10008.1.2.4.55", "JPEG Full Progression, Non-Hierarchical (Process 10 and 12)", SyntaxKind::jpeg, true},
    {"1.2.840.10008.1.2.4.57", "JPEG Lossless, Non-Hierarchical (Process 14)", SyntaxKind::jpeg, false},
    {"1.2.840.10008.1.2.4.70", "JPEG Lossless, Non-Hierarchical, First-Order Prediction", SyntaxKind::jpeg, false},
    {"1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", SyntaxKind::jpeg_ls, false},
    {"1.2.840.10008.1.2.4.81", "JPEG-LS Lossy (Near-Lossless)", SyntaxKind::jpeg_ls, true},
    {"1.2.840.10008.1.2.4.90", "JPEG 2000 (Lossless Only)", SyntaxKind::jpeg_2000, false},
    {"1.2.840.10008.1.2.4.91", "JPEG 2000", SyntaxKind::jpeg_2000, true},
    {"1.2.840.10008.1.2.5", "RLE Lossless", SyntaxKind::rle, false},
};

struct Refused {
  std::string_view uid, name, hint;
};

// gdcmconv and dcmdjp2k know no high-throughput JPEG 2000; pydicom with pylibjpeg does.
constexpr std::string_view kWithPydicom =
    "Convert it: python3 -c \"import pydicom; d = pydicom.dcmread('in.dcm'); d.decompress(); d.save_as('out.dcm')\" "
    "(pydicom, pylibjpeg, pylibjpeg-openjpeg).";
constexpr std::string_view kWithGdcm = "Convert it: gdcmconv --raw in.dcm out.dcm";
constexpr std::string_view kWithDcmtk = "Convert it: dcmconv +te in.dcm out.dcm";
constexpr std::string_view kVideo = "It holds a film, which is no CT slice.";
constexpr std::string_view kElsewhere = "The pixels lie on a server; fetch the series again with its pixels.";

constexpr Refused kRefused[] = {
    {"1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian", kWithPydicom},
    {"1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 Multi-component (Lossless Only)", kWithGdcm},
    {"1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2 Multi-component", kWithGdcm},
    {"1.2.840.10008.1.2.4.94", "JPIP Referenced", kElsewhere},
    {"1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate", kElsewhere},
    {"1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level", kVideo},
    {"1.2.840.10008.1.2.4.101", "MPEG2 Main Profile / High Level", kVideo},
    {"1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1", kVideo},
    {"1.2.840.10008.1.2.4.103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", kVideo},
    {"1.2.840.10008.1.2.4.104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", kVideo},
    {"1.2.840.10008.1.2.4.105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", kVideo},
    {"1.2.840.10008.1.2.4.106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", kVideo},
    {"1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile / Level 5.1", kVideo},
    {"1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10 Profile / Level 5.1", kVideo},
    {"1.2.840.10008.1.2.4.110", "JPEG XL Lossless", kWithPydicom},
    {"1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", kWithPydicom},
    {"1.2.840.10008.1.2.4.112", "JPEG XL", kWithPydicom},
    {"1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 (Lossless Only)", kWithPydicom},
    {"1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 with RPCL Options (Lossless Only)", kWithPydicom},
    {"1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000", kWithPydicom},
    {"1.2.840.10008.1.2.4.204", "JPIP HTJ2K Referenced", kElsewhere},
    {"1.2.840.10008.1.2.4.205", "JPIP HTJ2K Referenced Deflate", kElsewhere},
    {"1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression", kWithPydicom},
};

}  // namespace

Result<TransferSyntax> find_transfer_syntax(const std::string& uid) {
  const auto* read = std::find_if(std::begin(kRead), std::end(kRead), [&](const auto& row) { return row.uid == uid; });
  if (read != std::end(kRead)) return *read;
  const auto* refused =
      std::find_if(std::begin(kRefused), std::end(kRefused), [&](const auto& row) { return row.uid == uid; });
  const bool known = refused != std::end(kRefused);
  return error(ErrorId::E_DICOM_TSYNTAX, "transfer syntax that is not read here")
      .expected("one of docs/dicom.md", uid + (known ? " (" + std::string(refused->name) + ")" : ""))
      .hint(std::string(known ? refused->hint : kWithDcmtk));
}

}  // namespace spinert
