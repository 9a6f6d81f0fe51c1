// ptx_mbarrier.h - what the twins of the tensor memory accelerator need of an mbarrier.
#pragma once

#include "kernels/base/emulation/ptx_state.h"

namespace spinert::emulation {

// Called by the thread that starts an operation which will complete on it: reports one that is not ready for that.
void mbarrier_will_receive(uint32_t bar, const char* what);
// The bytes have landed; clock is what waiting threads acquire. May run without a current thread.
void mbarrier_complete_tx(uint32_t bar, int64_t bytes, const Clock& clock, const char* what);

}  // namespace spinert::emulation
