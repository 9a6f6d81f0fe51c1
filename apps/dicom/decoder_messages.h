// decoder_messages.h - what DCMTK's decoders complain about. They go on after damage that they call a warning, with
// invented pixels; here every warning while pixels are decoded makes the decoding fail.
#pragma once

#include <string>

namespace spinert {

// Takes DCMTK's messages off the screen for good: they may hold values of the data set. Once.
void collect_decoder_messages();

// Forgets what was collected.
void clear_decoder_messages();

// The first warning or error since then; empty if there was none.
const std::string& first_decoder_message();

}  // namespace spinert
