// test_hounsfield.cpp - stored values to Hounsfield units: rounding, padding, what is refused.
#include <gtest/gtest.h>

#include <limits>

#include "diagnosis/studies/hounsfield.h"
#include "tests/support/expect_error.h"
#include "tests/support/slices.h"

namespace spinert {
namespace {

using test::axial_slice;
using test::expect_error;

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

DicomFile file_of(std::vector<int32_t> stored) {
  DicomFile file{axial_slice(0), std::move(stored)};
  file.facts.columns = static_cast<int>(file.stored.size());
  file.facts.rows = 1;
  return file;
}

TEST(Hounsfield, RescaledAndRoundedHalfToEven) {
  DicomFile file = file_of({0, 1, 2, 3, -1, 1024});
  file.facts.rescale_slope = 0.5;
  file.facts.rescale_intercept = -10;
  const auto slice = to_hounsfield(file);
  ASSERT_TRUE(slice.ok()) << slice.status().to_string();
  EXPECT_EQ(slice.value().hu, (std::vector<int16_t>{-10, -10, -9, -8, -10, 502}));
  EXPECT_NEAR(length(slice.value().plane.at(1, 0) - Vec3{-99.5, -120, 0}), 0, 1e-9);
  file.facts.photometric = "MONOCHROME1";
  EXPECT_EQ(to_hounsfield(file).value().hu, slice.value().hu);
}

// Whole numbers with a slope of 1 go another way through the code than the rest.
TEST(Hounsfield, EveryStoredValueOfAnOrdinarySlice) {
  for (const bool is_signed : {false, true}) {
    std::vector<int32_t> stored;
    for (int v = is_signed ? -31744 : 0; v <= 32767; ++v) stored.push_back(v);
    DicomFile file = file_of(stored);
    file.facts.rows = 16;
    file.facts.columns = static_cast<int>(stored.size()) / 16;
    file.facts.is_signed = is_signed;
    file.facts.padding_value = 77;
    for (const double slope : {1.0, 1 + 1e-9}) {
      file.facts.rescale_slope = slope;
      const auto slice = to_hounsfield(file);
      ASSERT_TRUE(slice.ok()) << slice.status().to_string();
      for (size_t i = 0; i < stored.size(); ++i) {
        ASSERT_EQ(slice.value().hu[i], stored[i] == 77 ? kAirHu : stored[i] - 1024) << stored[i] << ", " << slope;
      }
    }
  }
  // What does not come from a decoder that keeps its word.
  DicomFile file = file_of({0, std::numeric_limits<int32_t>::max()});
  file.facts.rescale_intercept = 1024;
  expect_error(to_hounsfield(file).status(), ErrorId::E_DICOM_VALUE, {"2147483647"});
}

TEST(Hounsfield, PaddingBecomesAir) {
  DicomFile file = file_of({-2000, -1999, 5, -1000});
  file.facts.padding_value = 63536;  // -2000, written without its sign
  EXPECT_EQ(to_hounsfield(file).value().hu, (std::vector<int16_t>{-1024, -3023, -1019, -2024}));
  file.facts.padding_value = -2000;
  file.facts.padding_limit = -1999;
  EXPECT_EQ(to_hounsfield(file).value().hu, (std::vector<int16_t>{-1024, -1024, -1019, -2024}));
  std::swap(file.facts.padding_value, file.facts.padding_limit);
  EXPECT_EQ(to_hounsfield(file).value().hu[1], -1024);

  // A value that no pixel of 12 bits can have must not be folded onto bone.
  DicomFile narrow = file_of({2096, 0, 4095});
  narrow.facts.is_signed = false;
  narrow.facts.bits_stored = 12;
  narrow.facts.high_bit = 11;
  narrow.facts.padding_value = -2000;
  EXPECT_EQ(to_hounsfield(narrow).value().hu, (std::vector<int16_t>{1072, -1024, 3071}));

  // Padding is no value: it may lie outside 16 bits.
  DicomFile low = file_of({-32768, 0});
  EXPECT_EQ(to_hounsfield(low).status().id(), ErrorId::E_RANGE);
  low.facts.padding_value = -32768;
  EXPECT_EQ(to_hounsfield(low).value().hu, (std::vector<int16_t>{-1024, -1024}));
}

// BI-16, BI-17, BI-19
TEST(Hounsfield, WhatCannotBeIsRefused) {
  const auto with = [](auto change) {
    DicomFile file = file_of({0, 1, 2, 100});
    change(file.facts);
    return to_hounsfield(file).status();
  };
  for (const double bad : {0.0, -1.0, kNan, kInf}) {
    expect_error(with([&](DicomFacts& f) { f.rescale_slope = bad; }), ErrorId::E_DICOM_VALUE, {"RescaleSlope"});
  }
  expect_error(with([](DicomFacts& f) { f.rescale_intercept = kNan; }), ErrorId::E_DICOM_VALUE, {"RescaleIntercept"});
  expect_error(with([](DicomFacts& f) { f.rescale_slope.reset(), f.is_signed = false; }), ErrorId::E_DICOM_VALUE,
               {"missing"});
  expect_error(with([](DicomFacts& f) { f.rescale_slope.reset(), f.bits_allocated = 32; }), ErrorId::E_DICOM_VALUE,
               {"missing"});
  expect_error(with([](DicomFacts& f) { f.rescale_intercept.reset(); }), ErrorId::E_DICOM_VALUE, {"missing"});
  expect_error(with([](DicomFacts& f) { f.bits_stored = 17, f.high_bit = 16; }), ErrorId::E_DICOM_VALUE,
               {"BitsStored", "17"});
  expect_error(with([](DicomFacts& f) { f.high_bit = 11; }), ErrorId::E_DICOM_VALUE, {"HighBit", "11"});
  expect_error(with([](DicomFacts& f) { f.bits_stored = 7, f.high_bit = 6; }), ErrorId::E_DICOM_VALUE,
               {"-64 to 63", "0 to 100"});
  expect_error(with([](DicomFacts& f) { f.photometric = "RGB"; }), ErrorId::E_IMAGE_COLOUR, {"RGB"});
  expect_error(with([](DicomFacts& f) { f.samples = 3; }), ErrorId::E_IMAGE_COLOUR, {});
  expect_error(with([](DicomFacts& f) { f.rows = 2; }), ErrorId::E_DICOM_DIM, {"4 x 2"});
  expect_error(with([](DicomFacts& f) { f.position.reset(); }), ErrorId::E_GEOM_MISSING, {});
  expect_error(with([](DicomFacts& f) { f.rescale_slope = 1e300; }), ErrorId::E_RANGE, {"row 0"});
  expect_error(with([](DicomFacts& f) { f.rescale_intercept = 32668; }), ErrorId::E_RANGE, {"32768"});
  EXPECT_TRUE(with([](DicomFacts& f) { f.rescale_intercept = 32667; }).ok());
}

// BI-16b: signed values of 16 bits without a slope.
TEST(Hounsfield, WithoutASlopeSignedValuesAreTakenAsTheyAre) {
  DicomFile file = file_of({-1024, 0, 2, 100});
  EXPECT_FALSE(assumes_hu(file.facts));
  file.facts.rescale_slope.reset();
  EXPECT_TRUE(assumes_hu(file.facts));
  file.facts.rescale_intercept = -10;
  EXPECT_EQ(to_hounsfield(file).value().hu, (std::vector<int16_t>{-1034, -10, -8, 90}));
  file.facts.rescale_intercept.reset();
  EXPECT_EQ(to_hounsfield(file).value().hu, (std::vector<int16_t>{-1024, 0, 2, 100}));
  file.facts.modality = "MR";
  expect_error(to_hounsfield(file).status(), ErrorId::E_MODALITY, {});
}

TEST(Hounsfield, PlausibilityIsOfTheWholeSeries) {
  const auto judge = [](std::vector<std::vector<int16_t>> pieces) {
    HuRange range;
    for (const auto& piece : pieces) range.add(piece);
    return check_plausible_hu(range, "series");
  };
  expect_error(judge({{-32768, -32768}, {-32768}}), ErrorId::E_RANGE, {"not Hounsfield", "far below air", "series"});
  expect_error(judge({{0, 12}, {255}}), ErrorId::E_RANGE, {"not Hounsfield", "below water", "0 to 255"});
  expect_error(judge({{0, 4095}}), ErrorId::E_RANGE, {"below water"});
  EXPECT_TRUE(judge({{0, 12}, {-1}}).ok());
  EXPECT_TRUE(judge({{-32768}, {40}}).ok());
  // BI-18: what is blank ends in 13, not in 4.
  for (const int16_t blank : std::vector<int16_t>{-1024, -1000, 0}) EXPECT_TRUE(judge({{blank, blank}}).ok()) << blank;
}

}  // namespace
}  // namespace spinert
