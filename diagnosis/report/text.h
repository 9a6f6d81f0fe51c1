// text.h - strings on their way into a report: file names are hostile until proven otherwise.
//
// All functions are pure and independent of the locale.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spinert {

// Valid UTF-8 without control characters and without the marks that reverse the direction of text: each offending byte
// or character becomes U+FFFD. A name can then neither break a table nor show another ending than it has.
std::string clean_utf8(std::string_view text);

// The last part of a path, cleaned. A path that ends in a slash gives the part before it.
std::string file_name_of(std::string_view path);

// Fit for HTML text and for attribute values in double quotes.
std::string escape_html(std::string_view text);

// In double quotes, valid JSON for every input.
std::string quote_json(std::string_view text);

// The shortest decimal number that reads back as exactly this value; "null" for NaN and infinities, which JSON lacks.
std::string exact_number(float value);
std::string exact_number(double value);
// With a fixed number of decimals.
std::string fixed_number(double value, int decimals);

// "3 slices", "1 slice"; give the plural where it does not end in a plain s.
std::string counted(size_t count, std::string_view singular, std::string_view plural = {});

}  // namespace spinert
