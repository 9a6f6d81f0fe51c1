#include "apps/progress.h"

#include <unistd.h>

#include "apps/command.h"
#include "apps/result_table.h"
#include "diagnosis/report/json_text.h"
#include "diagnosis/report/text.h"

namespace spinert::cli {
namespace {

constexpr char kSlicerName[] = "<filter-name>SpineRT</filter-name>";

}  // namespace

Progress::Progress(const std::string& kind, bool json_log)
    : form_(kind == "tty"      ? Form::tty
            : kind == "json"   ? Form::json
            : kind == "slicer" ? Form::slicer
            : kind == "none"   ? Form::none
                               : Form::lines),
      json_log_(json_log) {
  if (kind == "auto" && !json_log && ::isatty(STDERR_FILENO) != 0) form_ = Form::tty;
  if (form_ != Form::slicer) return;
  std::printf("<filter-start>%s<filter-comment>Finds and classifies vertebrae</filter-comment></filter-start>\n",
              kSlicerName);
  std::fflush(stdout);
}

// Of the whole run, by studies and by the slices of the one that goes on.
double Progress::fraction() const {
  return (static_cast<double>(number_ - 1) + of_study_) / static_cast<double>(studies_);
}

// By what was looked at so far; studies that --resume will keep among the rest make it too large.
std::optional<double> Progress::seconds_left() const {
  const double done = static_cast<double>(worked_) + (kept_ ? 0 : of_study_);
  if (done <= 0) return std::nullopt;
  const double rest = static_cast<double>(studies_ - number_) + 1 - of_study_;
  return std::chrono::duration<double>(Clock::now() - begin_).count() / done * rest;
}

std::string Progress::batch_text() const {
  std::string text;
  if (studies_ > 1) text = "study " + std::to_string(number_) + "/" + std::to_string(studies_);
  if (const auto left = seconds_left()) {
    text += (text.empty() ? "about " : ", about ") + fixed_number(*left, 0) + " s left";
  }
  return text;
}

// One step, in the forms that programs read.
void Progress::tell(size_t done, size_t total) {
  if (form_ == Form::slicer) {
    std::printf("<filter-progress>%s</filter-progress>\n", fixed_number(fraction(), 4).c_str());
    std::fflush(stdout);
  } else if (form_ == Form::json) {
    JsonText json;
    json.begin_object(JsonText::Layout::inline_).key("event").text("progress");
    json.key("study").integer(static_cast<long long>(number_)).key("studies").integer(static_cast<long long>(studies_));
    json.key("name").text(clean_utf8(name_)).key("slice").integer(static_cast<long long>(done));
    json.key("slices").integer(static_cast<long long>(total)).key("fraction").raw_number(fixed_number(fraction(), 4));
    const auto left = seconds_left();
    json.key("seconds_left").raw_number(left ? fixed_number(*left, 1) : "null").end();
    std::fprintf(stderr, "%s\n", json.str().c_str());
  }
}

void Progress::clear_bar() const {
  if (form_ == Form::tty) std::fputs("\r\033[K", stderr);
}

void Progress::study(size_t number, size_t studies, const std::string& name) {
  if (number > 1 && !kept_) ++worked_;
  number_ = number;
  studies_ = studies;
  name_ = name;
  kept_ = false;
  of_study_ = 0;
  if (form_ == Form::lines || form_ == Form::tty) {
    const std::string text = batch_text();
    const size_t rest = text.find(", ");
    print_note("info", text.substr(0, rest) + " " + name + (rest == std::string::npos ? "" : text.substr(rest)),
               json_log_);
  }
  tell(0, 0);
}

// What was kept says nothing about the time that others take.
void Progress::kept() {
  kept_ = true;
  of_study_ = 1;
  if (form_ == Form::lines || form_ == Form::tty) print_note("info", name_ + ": kept, it is finished", json_log_);
  tell(0, 0);
}

void Progress::begins(size_t done, size_t total, const std::string& name) {
  if (form_ != Form::tty) return;
  constexpr size_t kWidth = 30;
  const size_t filled = total == 0 ? kWidth : done * kWidth / total;
  std::fprintf(stderr, "\r\033[K[%s%s] %zu/%zu %s %s", std::string(filled, '#').c_str(),
               std::string(kWidth - filled, '.').c_str(), done, total, clean_utf8(name.substr(0, 40)).c_str(),
               batch_text().c_str());
  std::fflush(stderr);
}

void Progress::ended(const SliceResult& slice, size_t done, size_t total) {
  of_study_ = total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
  const std::string place = "[" + std::to_string(done) + "/" + std::to_string(total) + "] ";
  if (slice.status == "failed") {
    const std::string why =
        slice.reasons.empty() ? slice.source : slice.reasons.back().code + ": " + slice.reasons.back().text;
    warning(place + slice.source + ": failed, " + why);
  } else if (form_ == Form::lines) {
    const auto time = slice.milliseconds.find("slice");
    print_note("info",
               place + slice.source + ": " + slice.status + ", " + slice.alert + ", " +
                   counted(slice.vertebrae.size(), "vertebra", "vertebrae") +
                   (time == slice.milliseconds.end() ? "" : ", " + fixed_number(time->second, 0) + " ms"),
               json_log_);
  } else {
    begins(done, total, "");
    if (done == total) clear_bar();
  }
  tell(done, total);
}

void Progress::warning(const std::string& text) {
  clear_bar();
  print_note("warning", text, json_log_);
}

void Progress::problem(const Status& status) {
  print_error(status, json_log_);
}

void Progress::written(const StudyResult& study, const std::string& folder) {
  if (!study.slices.empty()) print_table(study, results());
  std::fprintf(results(), "report: %s/report.html\n", clean_utf8(folder).c_str());
}

void Progress::summary_written(const std::string& folder) {
  std::fprintf(results(), "summary: %s/summary.csv\n", clean_utf8(folder).c_str());
}

void Progress::finished() {
  if (form_ != Form::slicer) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  std::printf("<filter-end>%s<filter-time>%s</filter-time></filter-end>\n", kSlicerName,
              fixed_number(seconds, 1).c_str());
  std::fflush(stdout);
}

}  // namespace spinert::cli
