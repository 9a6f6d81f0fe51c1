// report_html.h - the page for people: one file, no script, nothing loaded from anywhere, the same bytes for the same
// study. Boxes are SVG over the slice; pointing at a box or at a table row highlights the other one by CSS alone.
//
// The page of a long study is built slice by slice, so that the pictures need not be kept: call slice_section() when a
// slice is done, drop its pixels, and write report_html_head(), the sections and report_html_tail() at the end.
#pragma once

#include <span>
#include <string>

#include "diagnosis/report/report_json.h"
#include "diagnosis/result.h"

namespace spinert {

// Slices beyond this number are listed without their picture and point to their preview file: a page of thousands of
// embedded pictures opens in no browser.
inline constexpr size_t kMaxEmbeddedSlices = 100;

// `index` counts from 0 and must be different for every slice of a page. Uses the study's class names and thresholds.
// Errors: E_OOM_HOST, E_INTERNAL (from the PNG encoder).
Result<std::string> slice_section(const StudyResult& study, const SliceResult& slice, size_t index);

// What stands before and after the sections. Of the vertebrae of study.slices only the numbers are read. facts: only
// `tool` is used.
std::string report_html_head(const StudyResult& study);
std::string report_html_tail(const StudyResult& study, const ReportFacts& facts);
// The whole page.
std::string report_html(const StudyResult& study, const ReportFacts& facts, std::span<const std::string> sections);

}  // namespace spinert
