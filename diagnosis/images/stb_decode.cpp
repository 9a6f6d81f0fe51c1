// stb_decode.cpp - the only file that includes stb_image, cut down to what is needed: two formats, from memory.
#include "diagnosis/images/stb_decode.h"

#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS 8192
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>

#include <string>

#include "diagnosis/images/limits.h"

namespace spinert {
namespace {

static_assert(kMaxPictureSide <= STBI_MAX_DIMENSIONS, "the decoder must take every size that the verifier passes");
static_assert(kMaxPictureFileBytes <= 0x7fffffff, "the decoder's length is an int");

Result<StbPixels> pack(void* samples, int width, int height, int channels, ErrorId refused) {
  StbPixels pixels{width, height, channels, {samples, stbi_image_free}};
  if (samples == nullptr) {
    const char* reason = stbi_failure_reason();
    // The text may be missing (seen in this decoder), so it is never relied upon for more than the message.
    if (reason != nullptr && std::string(reason) == "outofmem") {
      return error(ErrorId::E_OOM_HOST, "no memory to decode the picture");
    }
    return error(refused, std::string("decoder refuses the picture: ") +
                              (reason != nullptr && *reason != 0 ? reason : "no reason given"));
  }
  return pixels;
}

}  // namespace

Result<StbPixels> stb_decode8(std::span<const uint8_t> verified, ErrorId refused) {
  int width = 0, height = 0, channels = 0;
  void* samples =
      stbi_load_from_memory(verified.data(), static_cast<int>(verified.size()), &width, &height, &channels, 0);
  return pack(samples, width, height, channels, refused);
}

Result<StbPixels> stb_decode16(std::span<const uint8_t> verified, ErrorId refused) {
  int width = 0, height = 0, channels = 0;
  void* samples =
      stbi_load_16_from_memory(verified.data(), static_cast<int>(verified.size()), &width, &height, &channels, 0);
  return pack(samples, width, height, channels, refused);
}

}  // namespace spinert
