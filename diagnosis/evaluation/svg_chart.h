// svg_chart.h - one diagram as an SVG element: axes with ticks and names, curves, points, bars. Colours come from CSS
// classes (evaluation_style.h), so that light, dark and paper need no second drawing; every text is real text.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spinert::evaluation {

struct ChartPoint {
  double x, y;
};

struct Axis {
  double low = 0, high = 1;
  std::string name;
  std::vector<double> ticks;
  int decimals = 0;  // of the tick labels
};
// 0, 0.2, ... 1
Axis unit_axis(std::string name);
// From 0 to at least `high`, whole numbers, at most about six ticks.
Axis count_axis(std::string name, double high);

class SvgChart {
 public:
  // `said`: what the diagram shows, for those who cannot see it.
  SvgChart(Axis x, Axis y, std::string said);

  // `css`: class names of the element. Points outside the axes are cut off at the frame.
  void line(std::span<const ChartPoint> points, const std::string& css);
  void dot(ChartPoint at, double radius, const std::string& css, const std::string& said);
  // From the x axis up, about x.
  void bar(double x, double width, double height, const std::string& css, const std::string& said);
  std::string str() const;

 private:
  double to_x(double x) const;
  double to_y(double y) const;

  Axis x_, y_;
  std::string said_, body_;
};

}  // namespace spinert::evaluation
