#include "diagnosis/verify_request.h"

#include <charconv>

#include "diagnosis/input.h"
#include "diagnosis/report/text.h"
#include "diagnosis/synthetic_slice.h"
#include "kernels/base/cuda_device.h"
#include "kernels/registry.h"

namespace spinert {
namespace {

// The number of "cuda:<number>", 0 of "cuda"; -1 for anything else.
int card_number(const std::string& device) {
  if (device == "cuda") return 0;
  int number = -1;
  if (!device.starts_with("cuda:")) return -1;
  const char* end = device.data() + device.size();
  const auto [at, failure] = std::from_chars(device.data() + std::string_view("cuda:").size(), end, number);
  return failure == std::errc() && at == end ? number : -1;
}

}  // namespace

bool names_card(const std::string& device) {
  return card_number(device) >= 0;
}

Result<VerifyLevels> verify_levels(const std::string& device, const std::string& precision, const std::string& isa) {
  VerifyLevels levels;
  if (isa != "all") {
    levels.names = {isa};
  } else if (names_card(device)) {
    SPINERT_ASSIGN(const auto card, CudaDevice::open(card_number(device)));
    levels.names = {std::string(level_name(Level::sm80))};
    if (card->card().level() > Level::sm80) levels.names.emplace_back(level_name(card->card().level()));
  } else if (precision == "mixed" || precision == "int8") {
    levels.names = {std::string(level_name(cpu_features().best))};
  } else {
    for (const Level level : {Level::scalar, Level::avx2, Level::avx512}) {
      (level <= cpu_features().best ? levels.names : levels.skipped).emplace_back(level_name(level));
    }
  }
  return levels;
}

Result<std::vector<NamedPicture>> verify_pictures(std::span<const std::string> paths) {
  std::vector<NamedPicture> inputs;
  if (paths.empty()) {
    inputs.push_back({"synthetic slice", synthetic_slice()});
    return inputs;
  }
  SPINERT_ASSIGN(const InputList list, expand_inputs(paths));
  for (const Input& input : list.inputs) {
    SPINERT_TRY(input.problem);
    SPINERT_ASSIGN(Picture picture, read_picture(input.path));
    inputs.push_back({file_name_of(input.path), std::move(picture)});
  }
  return inputs;
}

}  // namespace spinert
