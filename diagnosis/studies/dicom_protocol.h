// dicom_protocol.h - what the program and `spinert-dicom` say to each other over two pipes (docs/dicom.md).
//
// Both ends run on one machine and come from one build: headers are these structs as they lie in memory, numbers in the
// machine's byte order. The program trusts nothing that comes back: every length is compared with a limit and with
// what the facts promise before anything is allocated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "diagnosis/studies/dicom_file.h"
#include "kernels/base/status.h"

namespace spinert {

inline constexpr uint64_t kMaxDicomFileBytes = uint64_t{1} << 30;
inline constexpr uint32_t kMaxDicomTextBytes = 64u << 10;  // facts or an error, encoded
inline constexpr size_t kMaxDicomStringBytes = 1024;       // one text value; longer ones are cut
inline constexpr size_t kMaxDicomImageTypeParts = 16;
inline constexpr uint32_t kDicomProtocol = 0x33445053;  // "SPD3"

// Sent once by spinert-dicom, followed by text_bytes of text: the decoding libraries with their versions.
struct DicomHello {
  uint32_t protocol = kDicomProtocol;
  uint32_t error_ids = 0;  // how many there are: numbers of errors mean the same only within one build
  uint32_t text_bytes = 0;
  uint32_t unused = 0;
};

enum class DicomTask : uint32_t {
  facts,   // of a file
  pixels,  // facts and stored values of a file
  write,   // a finished file of results: dicom_object.h
};
inline constexpr uint32_t kDicomTasks = 3;

// One task, followed by its bytes: those of the file, or what encode_dicom_job() gives.
struct DicomRequest {
  uint32_t protocol = kDicomProtocol;
  DicomTask task = DicomTask::facts;
  uint64_t nonce = 0;  // random, comes back with the answer: what a decoder wrote for another file is not taken
  uint64_t bytes = 0;
};

// Followed by text_bytes (facts if error is 0, else the parts of the error) and data_bytes (stored values, each of
// stored_value_bytes(), or the finished file).
struct DicomReply {
  uint32_t protocol = kDicomProtocol;
  uint32_t error = 0;  // an ErrorId
  uint64_t nonce = 0;
  uint32_t text_bytes = 0;
  uint32_t unused = 0;
  uint64_t data_bytes = 0;
};

// How many bytes a stored value takes in an answer: 2 where they hold every value of the file, else 4. What is signed
// in the file is signed here.
inline size_t stored_value_bytes(const DicomFacts& facts) {
  return facts.bits_allocated <= 16 ? 2 : 4;
}

uint32_t count_of_error_ids();

// What decoding one file of this size may use. A slice of 512 x 512 takes milliseconds; the limits leave room for the
// largest picture of limits.h on a slow and busy machine.
struct DicomLimits {
  uint64_t memory_bytes = 0;  // address space of the process
  int cpu_seconds = 0;
  int wall_seconds = 0;
};
DicomLimits dicom_limits(uint64_t file_bytes);

// Everything of the facts but path and sha256, which the program knows itself.
std::string encode_facts(const DicomFacts& facts);
// Texts are cleaned (diagnosis/report/text.h); E_SLICE_DECODE if the bytes are not what encode_facts writes.
Result<DicomFacts> decode_facts(std::string_view bytes);

std::string encode_error(const Status& status);
// The error with this id; E_SLICE_DECODE if id or bytes make no sense.
Status decode_error(uint32_t id, std::string_view bytes);

}  // namespace spinert
