#include "diagnosis/evaluation/svg_chart.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/report/text.h"

namespace spinert::evaluation {
namespace {

// Units of the drawing; the page scales it.
constexpr double kWidth = 420, kHeight = 330, kLeft = 62, kRight = 14, kTop = 12, kBottom = 46;

std::string number(double value) {
  return fixed_number(std::isfinite(value) ? std::clamp(value, -1e5, 1e5) : 0, 2);
}

std::string text_at(double x, double y, const char* css, const std::string& words) {
  return "<text class=\"" + std::string(css) + "\" x=\"" + number(x) + "\" y=\"" + number(y) + "\">" +
         escape_html(words) + "</text>";
}

}  // namespace

Axis unit_axis(std::string name) {
  return {0, 1, std::move(name), {0, 0.2, 0.4, 0.6, 0.8, 1}, 1};
}

Axis count_axis(std::string name, double high) {
  constexpr double kMostTicks = 6;
  double step = 1;
  // 1, 2, 5, 10, 20, 50, ...
  for (int i = 0; high / step > kMostTicks; ++i) step *= i % 3 == 1 ? 2.5 : 2;
  Axis axis{0, std::max(1.0, std::ceil(high / step) * step), std::move(name), {}, 0};
  for (double tick = 0; tick <= axis.high + step / 2; tick += step) axis.ticks.push_back(tick);
  return axis;
}

SvgChart::SvgChart(Axis x, Axis y, std::string said) : x_(std::move(x)), y_(std::move(y)), said_(std::move(said)) {}

double SvgChart::to_x(double x) const {
  return kLeft + (std::clamp(x, x_.low, x_.high) - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
}
double SvgChart::to_y(double y) const {
  return kHeight - kBottom -
         (std::clamp(y, y_.low, y_.high) - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
}

void SvgChart::line(std::span<const ChartPoint> points, const std::string& css) {
  if (points.empty()) return;
  body_ += "<polyline class=\"" + css + "\" points=\"";
  for (const ChartPoint& point : points) body_ += number(to_x(point.x)) + ',' + number(to_y(point.y)) + ' ';
  body_.back() = '"';
  body_ += "/>\n";
}

void SvgChart::dot(ChartPoint at, double radius, const std::string& css, const std::string& said) {
  body_ += "<circle class=\"" + css + "\" cx=\"" + number(to_x(at.x)) + "\" cy=\"" + number(to_y(at.y)) + "\" r=\"" +
           number(radius) + "\"><title>" + escape_html(said) + "</title></circle>\n";
}

void SvgChart::bar(double x, double width, double height, const std::string& css, const std::string& said) {
  const double left = to_x(x - width / 2), right = to_x(x + width / 2), top = to_y(height), bottom = to_y(0);
  body_ += "<rect class=\"" + css + "\" x=\"" + number(left) + "\" y=\"" + number(top) + "\" width=\"" +
           number(right - left) + "\" height=\"" + number(bottom - top) + "\"><title>" + escape_html(said) +
           "</title></rect>\n";
}

std::string SvgChart::str() const {
  const std::string right = number(kWidth - kRight), bottom = number(kHeight - kBottom), left = number(kLeft);
  std::string svg = "<svg class=\"chart\" viewBox=\"0 0 " + number(kWidth) + ' ' + number(kHeight) +
                    "\" role=\"img\" aria-label=\"" + escape_html(said_) + "\">\n";
  for (const double tick : y_.ticks) {
    const double at = to_y(tick);
    svg += "<line class=\"grid\" x1=\"" + left + "\" x2=\"" + right + "\" y1=\"" + number(at) + "\" y2=\"" +
           number(at) + "\"/>" + text_at(kLeft - 7, at + 4, "ty", fixed_number(tick, y_.decimals)) + "\n";
  }
  for (const double tick : x_.ticks) {
    const double at = to_x(tick);
    svg += "<line class=\"grid\" x1=\"" + number(at) + "\" x2=\"" + number(at) + "\" y1=\"" + number(kTop) +
           "\" y2=\"" + bottom + "\"/>" + text_at(at, kHeight - kBottom + 17, "tx", fixed_number(tick, x_.decimals)) +
           "\n";
  }
  svg += "<rect class=\"frame\" x=\"" + left + "\" y=\"" + number(kTop) + "\" width=\"" +
         number(kWidth - kLeft - kRight) + "\" height=\"" + number(kHeight - kTop - kBottom) + "\"/>\n" + body_;
  svg += text_at(kLeft + (kWidth - kLeft - kRight) / 2, kHeight - 8, "name", x_.name);
  const double middle = kTop + (kHeight - kTop - kBottom) / 2;
  svg += "<text class=\"name\" transform=\"translate(14 " + number(middle) + ") rotate(-90)\">" + escape_html(y_.name) +
         "</text>\n";
  return svg + "</svg>\n";
}

}  // namespace spinert::evaluation
