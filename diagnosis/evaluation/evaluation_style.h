// evaluation_style.h - what the evaluation page adds to the style sheet of the report page.
#pragma once

namespace spinert::evaluation {

extern const char* const kEvaluationStyle;

}  // namespace spinert::evaluation
