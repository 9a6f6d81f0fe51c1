#include "diagnosis/picture_source.h"

#include <utility>

#include "diagnosis/study.h"

namespace spinert {
namespace {

class PictureSource : public SliceSource {
 public:
  PictureSource(std::vector<Input> inputs, std::optional<double> hu_offset)
      : inputs_(std::move(inputs)), hu_offset_(hu_offset) {
    SourceNames names;
    for (const Input& input : inputs_) names_.push_back(names.add(input.path));
  }

  size_t size() const override { return inputs_.size(); }
  const std::string& name(size_t index) const override { return names_[index]; }
  const std::string& path(size_t index) const override { return inputs_[index].path; }
  const Examination& examination() const override { return examination_; }

  Result<SourceSlice> read(size_t index) override {
    const Input& input = inputs_[index];
    if (!input.problem.ok()) return input.problem;
    SPINERT_ASSIGN(Picture picture, read_picture(input.path));
    picture.hu_offset = hu_offset_;
    return SourceSlice{std::move(picture), {}};
  }

 private:
  std::vector<Input> inputs_;
  std::vector<std::string> names_;
  std::optional<double> hu_offset_;
  Examination examination_;
};

}  // namespace

std::unique_ptr<SliceSource> picture_source(std::vector<Input> inputs, std::optional<double> hu_offset) {
  return std::make_unique<PictureSource>(std::move(inputs), hu_offset);
}

}  // namespace spinert
