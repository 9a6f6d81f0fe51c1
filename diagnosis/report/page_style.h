// page_style.h - the style sheet of the report page.
#pragma once

#include <string>

namespace spinert {

// `most_vertebrae`: the largest vertebra id on the page, for the rules that tie a box to its row.
std::string page_style(int most_vertebrae);

}  // namespace spinert
