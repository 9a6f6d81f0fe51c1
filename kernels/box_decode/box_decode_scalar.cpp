// box_decode_scalar.cpp - backend cpu: threads over groups. 5000 boxes are far below a millisecond, so the arithmetic
// stays the shared scalar routine.
#include <algorithm>
#include <atomic>

#include "kernels/base/infer.h"
#include "kernels/box_decode/box_decode.h"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext& context) {
  std::atomic<int64_t> invalid{0};  // an integer sum does not depend on the order of the threads
  context.pool->run(call.out[2].shape[0], [&](WorkRange range) {
    for (int64_t g = range.begin; g < range.end; ++g) invalid += box_decode_group(call, g);
  });
  call.out[3].i32()[0] = static_cast<int32_t>(std::min<int64_t>(invalid, INT32_MAX));
}

}  // namespace

extern const Kernel box_decode_scalar;
const Kernel box_decode_scalar = {.run = run};

}  // namespace spinert
