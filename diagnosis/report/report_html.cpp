#include "diagnosis/report/report_html.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/images/base64.h"
#include "diagnosis/images/png_write.h"
#include "diagnosis/report/page_style.h"
#include "diagnosis/report/study_output.h"
#include "diagnosis/report/text.h"
#include "diagnosis/report/tracks_report.h"
#include "diagnosis/report/wording.h"
#include "diagnosis/study.h"

namespace spinert {
namespace {

// Lengths in the SVG: a tenth of a pixel is finer than any screen shows.
std::string length(double value) {
  return fixed_number(std::isfinite(value) ? std::clamp(value, -1e6, 1e6) : 0, 1);
}

std::string attribute(const char* name, const std::string& value) {
  return std::string(" ") + name + "=\"" + escape_html(value) + '"';
}

bool has_picture(const SliceResult& slice) {
  return slice.width > 0 && slice.height > 0 &&
         slice.preview.size() == static_cast<size_t>(slice.width) * static_cast<size_t>(slice.height);
}

double threshold_of(const StudyResult& study, const std::string& name) {
  const auto it = study.thresholds.find(name);
  return it == study.thresholds.end() ? 0.5 : it->second;
}

bool has_label(const Vertebra& vertebra, const std::string& name) {
  return std::ranges::find(vertebra.labels, name) != vertebra.labels.end();
}

std::string pill(const std::string& kind, const std::string& prefix) {
  return "<span class=\"pill " + escape_html(kind) + "\">" + prefix + escape_html(kind) + "</span>";
}

std::string reason_list(const std::vector<Reason>& reasons, bool bad) {
  if (reasons.empty()) return {};
  std::string html = bad ? "<ul class=\"reasons bad\">\n" : "<ul class=\"reasons\">\n";
  for (const Reason& reason : reasons) {
    html += "<li>";
    const std::string_view title = reason_title(reason.code);
    if (!title.empty()) html += "<strong>" + escape_html(title) + ".</strong> ";
    html += escape_html(reason.text) + " <code>" + escape_html(reason.code) + "</code></li>\n";
  }
  return html + "</ul>\n";
}

// One box with its number and label; a link, so that it can be reached by keyboard and leads to its row.
std::string svg_box(const StudyResult& study, const SliceResult& slice, const Vertebra& vertebra, const std::string& id,
                    double unit) {
  const Box& box = vertebra.box;
  const double x = box[0], y = box[1], width = std::max(0.0f, box[2] - box[0]),
               height = std::max(0.0f, box[3] - box[1]);
  const std::string number = std::to_string(vertebra.id);
  const std::string words = label_text(vertebra, study.class_names, false);
  const std::string geometry = " x=\"" + length(x) + "\" y=\"" + length(y) + "\" width=\"" + length(width) +
                               "\" height=\"" + length(height) + "\"";
  std::string html = "<a class=\"box k" + std::to_string(vertebra_colour(vertebra, study.class_names)) +
                     (vertebra.labels.empty() ? " none" : "") + "\" data-v=\"" + number + "\" href=\"#" + id + "r" +
                     number + "\"" + attribute("aria-label", "Vertebra " + number + ": " + words) + ">";
  html += "<title>Vertebra " + number + ": " + escape_html(label_text(vertebra, study.class_names, true)) +
          " (detector " + fixed_number(vertebra.score, 3) + ")</title>";
  html += "<rect class=\"under\"" + geometry + " rx=\"2\"/><rect" + geometry + " rx=\"2\"/>";
  if (vertebra.consistency == "contradictory") html += "<rect class=\"twice\"" + geometry + " rx=\"2\"/>";
  // The text stands on the side where there is more room.
  const bool right = x + width / 2 < slice.width * 0.6;
  const double text_x = right ? x + width + unit * 0.4 : x - unit * 0.4;
  html += "<text x=\"" + length(text_x) + "\" y=\"" + length(y + height / 2 + unit * 0.35) + "\"" +
          (right ? "" : " text-anchor=\"end\"") + ">" + number + " " + escape_html(words) + "</text></a>\n";
  return html;
}

std::string viewer(const StudyResult& study, const SliceResult& slice, const std::string& id) {
  const double unit = std::max(11.0, std::max(slice.width, slice.height) / 52.0);
  const std::string size = std::to_string(slice.width) + ' ' + std::to_string(slice.height);
  std::string html = "<figure class=\"view\" style=\"--u:" + length(unit) + "\">\n";
  html += "<svg viewBox=\"0 0 " + size + "\" role=\"group\"" +
          attribute("aria-label", "Slice " + slice.source + " with " +
                                      counted(slice.vertebrae.size(), "vertebra", "vertebrae") + " boxed") +
          ">\n<use href=\"#" + id + "i\"/>\n";
  for (const Vertebra& vertebra : slice.vertebrae) html += svg_box(study, slice, vertebra, id, unit);
  html += "</svg>\n<figcaption><span>" + std::to_string(slice.width) + " &#215; " + std::to_string(slice.height) +
          " pixels" + (slice.lossy ? ", lossy input" : "") +
          "</span><label><input type=\"checkbox\" checked> boxes</label></figcaption>\n</figure>\n";
  return html;
}

std::string probability_cell(const StudyResult& study, const Vertebra& vertebra, size_t index) {
  const std::string& name = study.class_names[index];
  const float p = vertebra.probabilities[index];
  const double threshold = threshold_of(study, name);
  const bool hit = has_label(vertebra, name);
  const auto percent = [](double value) { return length(std::clamp(value, 0.0, 1.0) * 100) + "%"; };
  const std::string said = name + " " + fixed_number(p, 3) + (hit ? ", at or above " : ", below ") + "the threshold " +
                           exact_number(threshold);
  return "<td role=\"cell\"><div class=\"p k" + std::to_string(colour_index(name)) + (hit ? " hit" : "") + "\"" +
         attribute("title", said) + "><em><i style=\"width:" + percent(std::isfinite(p) ? p : 0) +
         "\"></i><b style=\"left:" + percent(threshold) + "\"></b></em><span>" +
         (std::isfinite(p) ? fixed_number(p, 2) : std::string("?")) + "</span></div></td>";
}

std::string vertebra_table(const StudyResult& study, const SliceResult& slice, const std::string& id) {
  std::string html = "<table role=\"table\" style=\"--n:" + std::to_string(study.class_names.size()) + "\"" +
                     attribute("aria-label", "Vertebrae of " + slice.source) +
                     ">\n<thead role=\"rowgroup\"><tr role=\"row\"><th role=\"columnheader\" class=\"c-id\" "
                     "scope=\"col\">No.</th>";
  for (const std::string& name : study.class_names) {
    html += "<th role=\"columnheader\" scope=\"col\"" + attribute("title", std::string(class_title(name))) + ">" +
            escape_html(name) + "</th>";
  }
  html +=
      "<th role=\"columnheader\" class=\"c-labels\" scope=\"col\">Labels</th></tr></thead>\n<tbody "
      "role=\"rowgroup\">\n";
  for (const Vertebra& vertebra : slice.vertebrae) {
    const std::string number = std::to_string(vertebra.id);
    html += "<tr role=\"row\" id=\"" + id + "r" + number + "\" data-v=\"" + number + "\" class=\"k" +
            std::to_string(vertebra_colour(vertebra, study.class_names)) + "\"><th role=\"rowheader\" scope=\"row\">" +
            "<a href=\"#" + id + "\"" + attribute("aria-label", "Vertebra " + number + ", back to the slice") + ">" +
            number + "</a></th>";
    for (size_t i = 0; i < std::min(study.class_names.size(), vertebra.probabilities.size()); ++i) {
      html += probability_cell(study, vertebra, i);
    }
    html += "<td role=\"cell\" class=\"words\">" + escape_html(label_text(vertebra, study.class_names, false)) +
            " <span class=\"soft\">detector " + fixed_number(vertebra.score, 2) + "</span></td></tr>\n";
  }
  return html + "</tbody>\n</table>\n";
}

// The windows that the classifier saw, cut from the picture that is on the page already; outside the slice is black.
std::string patch_strip(const StudyResult& study, const SliceResult& slice, const std::string& id) {
  std::string html = "<h3>What the classifier saw</h3>\n<ul class=\"patches\">\n";
  for (const Vertebra& vertebra : slice.vertebrae) {
    const std::string number = std::to_string(vertebra.id);
    html += "<li data-v=\"" + number + "\" class=\"k" + std::to_string(vertebra_colour(vertebra, study.class_names)) +
            "\"><span class=\"n\">" + number + "</span>";
    for (size_t i = 0; i < vertebra.patches.size(); ++i) {
      const PatchWindow& patch = vertebra.patches[i];
      html += "<svg role=\"img\"" +
              attribute("aria-label", "Vertebra " + number + ", patch " + std::to_string(i + 1) + " of " +
                                          std::to_string(vertebra.patches.size())) +
              " viewBox=\"" + length(patch.centre_x - patch.side / 2) + ' ' + length(patch.centre_y - patch.side / 2) +
              ' ' + length(patch.side) + ' ' + length(patch.side) + "\"><use href=\"#" + id + "i\"/></svg>";
    }
    html += "</li>\n";
  }
  return html + "</ul>\n";
}

std::string facts_list(const StudyResult& study) {
  size_t vertebrae = 0, positive = 0, review = 0, negative = 0, failed = 0;
  for (const SliceResult& slice : study.slices) {
    vertebrae += slice.vertebrae.size();
    if (slice.status == "failed") {
      ++failed;
    } else {
      ++(slice.alert == "positive" ? positive : slice.alert == "negative" ? negative : review);
    }
  }
  std::string html = "<dl class=\"facts\">";
  const auto fact = [&html](const char* name, size_t value) {
    html += std::string("<div><dt>") + name + "</dt><dd>" + std::to_string(value) + "</dd></div>";
  };
  fact("Slices", study.slices.size());
  fact("Vertebrae", vertebrae);
  fact("Positive", positive);
  fact("Review", review);
  fact("Negative", negative);
  fact("Failed", failed);
  return html + "</dl>\n";
}

std::string legend(const StudyResult& study) {
  std::string html = "<ul class=\"legend\">\n";
  for (const std::string& name : study.class_names) {
    html += "<li class=\"k" + std::to_string(colour_index(name)) + "\"><span class=\"chip\"></span><span><strong>" +
            escape_html(name) + "</strong> ";
    if (class_title(name) != name && name != "normal") html += escape_html(class_title(name)) + ' ';
    html += "<span class=\"soft\">&#8805; " + exact_number(threshold_of(study, name)) + "</span></span></li>\n";
  }
  return html + "</ul>\n";
}

std::string overview(const StudyResult& study) {
  std::string html = "<header class=\"top\"><div class=\"wrap\">\n<h1>Vertebra report</h1>\n<p class=\"soft\">";
  html += "SpineRT, " + counted(study.slices.size(), "slice");
  if (!study.model_name.empty()) html += ", model " + escape_html(study.model_name);
  html += "</p>\n<div class=\"card\">\n";
  const std::string_view banner = status_banner(study.status);
  if (!banner.empty())
    html += "<p class=\"banner " + escape_html(study.status) + "\">" + escape_html(banner) + "</p>\n";
  html += "<div class=\"head\"><h2>Study</h2>" + (study.status == "failed" ? "" : pill(study.alert, "")) +
          pill(study.status, "") + "</div>\n<p>" + escape_html(status_sentence(study.status)) + "</p>\n";
  html += reason_list(study.reasons, study.status == "failed");
  if (study.demo_model) html += "<p class=\"small\"><strong>Note.</strong> " + escape_html(kDemoNotice) + ".</p>\n";
  html += facts_list(study);
  html += track_table(study);
  if (!study.class_names.empty()) html += legend(study);
  if (study.slices.size() > 1) {
    html += "<nav aria-label=\"Slices\"><ul class=\"index\">\n";
    for (size_t i = 0; i < study.slices.size(); ++i) {
      const SliceResult& slice = study.slices[i];
      const std::string& kind = slice.status == "failed" ? slice.status : slice.alert;
      html += "<li><a href=\"#s" + std::to_string(i + 1) + "\"><span class=\"mark " + escape_html(kind) + "\"></span>" +
              escape_html(slice.source) + "<span class=\"soft\">" + escape_html(kind) + "</span></a></li>\n";
    }
    html += "</ul></nav>\n";
  }
  return html + "</div>\n</div></header>\n";
}

// "axial DICOM series of 100 files, 512 x 512 x 100 at 0.898 x 0.898 x 2.500 mm; ..."; empty for pictures.
std::string examination_line(const Examination& examination) {
  if (examination.kind == "pictures" || !examination.stack) return {};
  const Grid& grid = examination.stack->grid;
  const auto mm = [](const Vec3& step) { return fixed_number(length(step), 3); };
  std::string text =
      examination.stack->orientation + (examination.kind == "dicom" ? " DICOM series of " : " NIfTI of ") +
      counted(static_cast<size_t>(examination.files), "file") + ", " + std::to_string(grid.plane.columns) + " x " +
      std::to_string(grid.plane.rows) + " x " + std::to_string(grid.slices) + " at " + mm(grid.plane.column_step) +
      " x " + mm(grid.plane.row_step) + " x " + mm(grid.slice_step) + " mm";
  if (const auto& reformat = examination.reformat) {
    text += "; reformatted, linear, " + fixed_number(reformat->mm_per_pixel, 3) + " mm a pixel, every " +
            fixed_number(reformat->step_mm, 3) + " mm" + (reformat->fast ? " (--fast: every second plane)" : "");
  }
  return text + (examination.lossy ? "; lossy input" : "");
}

std::string page_footer(const StudyResult& study, const ReportFacts& facts) {
  std::string html = "<footer><div class=\"wrap\">\n<dl>";
  const auto row = [&html](const char* name, const std::string& value) {
    if (!value.empty()) html += std::string("<dt>") + name + "</dt><dd>" + escape_html(value) + "</dd>\n";
  };
  row("Model", study.model_name + (study.demo_model ? " (synthetic demo model)" : ""));
  row("Model SHA-256", study.model_sha256);
  row("Config SHA-256", study.config_sha256);
  row("Device", study.device_name + (study.isa.empty() ? "" : " (" + study.isa + ")") +
                    (study.precision.empty() ? "" : ", " + study.precision) + ", " + study.canvas + " canvas" +
                    (study.fallback ? ", fallback from the first choice" : ""));
  row("Examination", examination_line(study.examination));
  row("Files SHA-256", study.examination.files_sha256);
  if (const CalibrationInfo& calibration = study.calibration; !calibration.sha256.empty()) {
    row("Calibration",
        calibration.method + " of " + std::to_string(calibration.slices) + " slices, SHA-256 " + calibration.sha256);
  }
  std::string tool = "spinert";
  for (const char* key : {"version", "commit"}) {
    if (const auto it = facts.tool.find(key); it != facts.tool.end()) tool += ' ' + it->second;
  }
  row("Program", tool);
  return html + "</dl>\n<p style=\"margin-top:14px\"><strong>" + escape_html(kResearchLabel) +
         "</strong></p>\n</div></footer>\n";
}

}  // namespace

Result<std::string> slice_section(const StudyResult& study, const SliceResult& slice, size_t index) {
  const std::string id = "s" + std::to_string(index + 1);
  const bool failed = slice.status == "failed";
  std::string html = "<section class=\"card slice\" id=\"" + id + "\">\n";
  const std::string_view banner = status_banner(slice.status);
  html += "<div class=\"head\"><h2>" + escape_html(slice.source) + "</h2>" +
          pill(failed ? slice.status : slice.alert, "") +
          (failed || slice.status == "completed" ? "" : pill(slice.status, ""));
  if (!failed) {
    html += "<span class=\"soft small\">" + counted(slice.vertebrae.size(), "vertebra", "vertebrae") + "</span>";
  }
  html += "</div>\n";
  if (!banner.empty())
    html += "<p class=\"banner " + escape_html(slice.status) + "\">" + escape_html(banner) + "</p>\n";
  html += reason_list(slice.reasons, failed);
  const bool shown = has_picture(slice) && index < kMaxEmbeddedSlices;
  if (shown) {
    SPINERT_ASSIGN(const std::vector<uint8_t> png, encode_png_grey(slice.width, slice.height, slice.preview));
    html += "<svg class=\"store\" aria-hidden=\"true\"><defs><image id=\"" + id + "i\" width=\"" +
            std::to_string(slice.width) + "\" height=\"" + std::to_string(slice.height) +
            "\" href=\"data:image/png;base64," + base64(png) + "\"/></defs></svg>\n<div class=\"pair\">\n" +
            viewer(study, slice, id);
  } else if (!failed) {
    html += "<p class=\"soft\">The picture is in the preview file of this slice.</p>\n<div>\n";
  }
  if (!failed || shown) {
    html += "<div>\n";
    if (!slice.vertebrae.empty()) {
      html += vertebra_table(study, slice, id);
      if (shown) html += patch_strip(study, slice, id);
    } else {
      html +=
          "<p>No vertebra reached the detector's threshold" +
          (slice.candidates.empty() ? ""
                                    : "; it kept " + counted(slice.candidates.size(), "weaker box", "weaker boxes")) +
          ".</p>\n";
    }
    html += "</div>\n</div>\n";
  }
  return html + "</section>\n";
}

std::string report_html_head(const StudyResult& study) {
  int most = 0;
  for (const SliceResult& slice : study.slices) {
    for (const Vertebra& vertebra : slice.vertebrae) most = std::max(most, vertebra.id);
  }
  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>Vertebra report: " +
      escape_html(study.status) + "</title>\n<style>\n" + page_style(most) + "</style>\n</head>\n<body>\n";
  html += "<div class=\"label\" role=\"note\"><div class=\"wrap\">" + escape_html(kResearchLabel) +
          (study.demo_model ? " Synthetic demo model." : "") + "</div></div>\n";
  return html + overview(study) + "<main class=\"wrap\">\n";
}

std::string report_html_tail(const StudyResult& study, const ReportFacts& facts) {
  return "</main>\n" + page_footer(study, facts) + "</body>\n</html>\n";
}

std::string report_html(const StudyResult& study, const ReportFacts& facts, std::span<const std::string> sections) {
  std::string html = report_html_head(study);
  for (const std::string& section : sections) html += section;
  return html + report_html_tail(study, facts);
}

}  // namespace spinert
