// gallery_html.h - the worst errors as a section of the evaluation page.
#pragma once

#include <span>
#include <string>

#include "diagnosis/evaluation/gallery.h"

namespace spinert::evaluation {

std::string gallery_section(const Evaluation& evaluation, std::span<const ErrorCase> gallery);

}  // namespace spinert::evaluation
