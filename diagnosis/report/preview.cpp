#include "diagnosis/report/preview.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "diagnosis/images/png_write.h"
#include "diagnosis/report/text.h"
#include "diagnosis/report/wording.h"
#include "diagnosis/study.h"

namespace spinert {
namespace {

constexpr int kSmallSide = 640;    // a slice smaller than this in both directions is shown twice as large
constexpr int kNarrowest = 420;    // so that the research label fits on one line
constexpr int kPlateHeight = 240;  // of the plate of a slice without a picture
constexpr int kWideText = 600;     // from this width on, text is twice as large
constexpr int kMargin = 8;
constexpr int kLineGap = 4;
constexpr Rgb kBackground{18, 22, 27}, kInk{230, 234, 238}, kQuiet{160, 168, 176}, kWhite{255, 255, 255};
constexpr Rgb kAmber{255, 190, 60}, kRed{255, 120, 110}, kTeal{110, 210, 170}, kBlack{0, 0, 0};

struct Line {
  std::string text;
  Rgb colour;
};

// The font is ASCII; everything else becomes '?', which is plainer than a row of hollow boxes.
std::string ascii(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else if ((byte & 0xC0) != 0x80) {
      out += '?';
    }
  }
  return out;
}

// Breaks at blanks, and inside a word that is longer than a line.
void wrap(const std::string& text, Rgb colour, int width, int scale, std::vector<Line>& lines) {
  const auto columns = static_cast<size_t>(std::max(8, (width - 2 * kMargin) / (kFontCellWidth * scale)));
  std::string rest = text;
  while (rest.size() > columns) {
    size_t cut = rest.rfind(' ', columns);
    if (cut == std::string::npos || cut == 0) cut = columns;
    lines.push_back({rest.substr(0, cut), colour});
    rest.erase(0, rest[cut] == ' ' ? cut + 1 : cut);
  }
  lines.push_back({rest, colour});
}

int height_of(const std::vector<Line>& lines, int scale) {
  return static_cast<int>(lines.size()) * (kFontCellHeight * scale + kLineGap) + 2 * kMargin - kLineGap;
}

void draw_lines(RgbImage& image, int y, const std::vector<Line>& lines, int scale) {
  y += kMargin;
  for (const Line& line : lines) {
    draw_text(image, kMargin, y, line.text, line.colour, scale);
    y += kFontCellHeight * scale + kLineGap;
  }
}

void copy_slice(RgbImage& image, const SliceResult& slice, int top, int left, int scale) {
  for (int y = 0; y < slice.height * scale; ++y) {
    const unsigned char* row = slice.preview.data() + static_cast<size_t>(y / scale) * static_cast<size_t>(slice.width);
    uint8_t* out = image.value.data() + (static_cast<size_t>(top + y) * static_cast<size_t>(image.width) + left) * 3;
    for (int x = 0; x < slice.width * scale; ++x, out += 3) out[0] = out[1] = out[2] = row[x / scale];
  }
}

// Boxes come from a network: they are finite in a completed slice, but a picture must be drawn of any slice.
int to_pixel(float value, int scale) {
  if (!std::isfinite(value)) return 0;
  return static_cast<int>(std::lround(std::clamp(value, -20000.0f, 20000.0f) * static_cast<float>(scale)));
}

void draw_vertebra(RgbImage& image, const Vertebra& vertebra, const std::vector<std::string>& class_names, int top,
                   int left, int scale, PixelRect window) {
  const Rgb colour = colour_at(vertebra_colour(vertebra, class_names));
  const PixelRect box{left + to_pixel(vertebra.box[0], scale), top + to_pixel(vertebra.box[1], scale),
                      left + to_pixel(vertebra.box[2], scale), top + to_pixel(vertebra.box[3], scale)};
  const PixelRect around{box.x0 - 1, box.y0 - 1, box.x1 + 1, box.y1 + 1};
  draw_rect(image, around, kBlack, scale + 2);
  draw_rect(image, box, colour, scale);
  if (vertebra.consistency == "contradictory") {
    // A second frame in white: this vertebra says two things at once.
    draw_rect(image, {box.x0 + 3 * scale, box.y0 + 3 * scale, box.x1 - 3 * scale, box.y1 - 3 * scale}, kWhite, scale);
  }
  const std::string text = std::to_string(vertebra.id) + ' ' + ascii(label_text(vertebra, class_names, true));
  const TextSize size = text_size(text, scale);
  int x = box.x1 + 4 * scale;
  if (x + size.width + 2 > window.x1) x = box.x0 - 4 * scale - size.width;
  x = std::clamp(x, window.x0 + 2, std::max(window.x0 + 2, window.x1 - size.width - 2));
  int y = (box.y0 + box.y1 - size.height) / 2;
  y = std::clamp(y, window.y0 + 2, std::max(window.y0 + 2, window.y1 - size.height - 2));
  fill_rect(image, {x - 2, y - 2, x + size.width + 2, y + size.height + 2}, kBlack, 170);
  draw_text(image, x, y, text, colour, scale);
}

std::vector<Line> header_lines(const StudyResult& study, const SliceResult& slice, int width, int scale) {
  std::vector<Line> lines;
  wrap(ascii(slice.source), kInk, width, scale, lines);
  const auto& reformat = study.examination.reformat;
  if (reformat && reformat->fast) wrap("--fast: every second plane was left out", kAmber, width, scale, lines);
  const std::string_view banner = status_banner(slice.status);
  if (!banner.empty()) wrap(std::string(banner), slice.status == "failed" ? kRed : kAmber, width, scale, lines);
  const Rgb colour = slice.alert == "negative" ? kTeal : slice.alert == "positive" ? kRed : kAmber;
  wrap("status " + slice.status + ", alert " + slice.alert + ": " + std::string(alert_sentence(slice.alert)), colour,
       width, scale, lines);
  for (const Reason& reason : slice.reasons) wrap(ascii(reason.code + ": " + reason.text), kQuiet, width, scale, lines);
  return lines;
}

}  // namespace

RgbImage preview_image(const StudyResult& study, const SliceResult& slice) {
  const bool has_picture = !slice.preview.empty() && slice.width > 0 && slice.height > 0 &&
                           slice.preview.size() == static_cast<size_t>(slice.width) * static_cast<size_t>(slice.height);
  const int scale = has_picture && std::max(slice.width, slice.height) > kSmallSide ? 1 : has_picture ? 2 : 1;
  const int slice_width = has_picture ? slice.width * scale : 0;
  const int slice_height = has_picture ? slice.height * scale : kPlateHeight;
  const int width = std::max(slice_width, kNarrowest);
  const int text_scale = width >= kWideText ? 2 : 1;
  std::vector<Line> footer;
  wrap(kResearchLabel, kInk, width, text_scale, footer);
  if (study.demo_model) wrap(kDemoNotice, kQuiet, width, text_scale, footer);
  const std::vector<Line> header = header_lines(study, slice, width, text_scale);
  const int top = height_of(header, text_scale), left = (width - slice_width) / 2;

  RgbImage image(width, top + slice_height + height_of(footer, text_scale), kBackground);
  draw_lines(image, 0, header, text_scale);
  const PixelRect window{0, top, width, top + slice_height};
  fill_rect(image, window, kBlack);
  if (has_picture) {
    copy_slice(image, slice, top, left, scale);
    for (const Vertebra& vertebra : slice.vertebrae) {
      draw_vertebra(image, vertebra, study.class_names, top, left, scale, window);
    }
  }
  const std::string_view banner = status_banner(slice.status);
  if (!banner.empty()) {
    // Across the picture itself, so that a cropped screenshot keeps it.
    const int big = width >= kWideText ? 2 : 1;
    const TextSize size = text_size(banner, big);
    const int y = has_picture ? top + kMargin : top + (slice_height - size.height) / 2;
    fill_rect(image, {0, y - 6, width, y + size.height + 6},
              slice.status == "failed" ? Rgb{120, 20, 20} : Rgb{96, 62, 0}, 225);
    draw_text(image, (width - size.width) / 2, y, banner, kWhite, big);
  }
  draw_lines(image, top + slice_height, footer, text_scale);
  return image;
}

RgbImage under_study_status(const StudyResult& study, const RgbImage& picture) {
  const int scale = picture.width >= kWideText ? 2 : 1;
  const Rgb colour = study.status != "completed" ? kAmber : study.alert == "positive" ? kRed : kInk;
  std::vector<Line> lines;
  wrap("STUDY: status " + study.status + ", alert " + study.alert + ": " + std::string(alert_sentence(study.alert)),
       colour, picture.width, scale, lines);
  wrap(std::string(status_sentence(study.status)), kInk, picture.width, scale, lines);
  wrap("Of " + counted(study.slices.size(), "slice") + " this is one:", kQuiet, picture.width, scale, lines);
  const int top = height_of(lines, scale);
  RgbImage image(picture.width, top + picture.height, kBackground);
  draw_lines(image, 0, lines, scale);
  std::ranges::copy(picture.value, image.value.begin() + static_cast<ptrdiff_t>(top) * picture.width * 3);
  return image;
}

Result<std::vector<uint8_t>> preview_png(const RgbImage& image) {
  const PngText label{"Description", kResearchLabel};
  return encode_png_rgb(image.width, image.height, image.value, &label);
}

}  // namespace spinert
