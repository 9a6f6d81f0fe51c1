// test_reformat.cpp - sagittal pictures: every way in which a volume or a picture can lie gives the same upright one,
// and every pixel of it shows what lies at its place in the patient.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>

#include "diagnosis/studies/reformat.h"

namespace spinert {
namespace {

// A grid of the patient: x to the left, y to the back, z to the head.
struct Box {
  std::array<int, 3> extent{7, 9, 11};
  std::array<double, 3> spacing{2, 1.5, 2.5};
  Vec3 origin{-6.5, 40, -120};

  Vec3 at(const std::array<double, 3>& index) const {
    return origin + Vec3{index[0] * spacing[0], index[1] * spacing[1], index[2] * spacing[2]};
  }
};

// A value for each voxel, linear in its indices, so that linear interpolation gives it between the voxels as well. With
// pixels of 0.5 mm no value lies half way between two whole numbers.
double code(const std::array<double, 3>& index) {
  return 99 * index[0] + 11 * index[1] + index[2];
}

double code_at(const Box& box, const Vec3& p) {
  const Vec3 off = p - box.origin;
  return code({off.x / box.spacing[0], off.y / box.spacing[1], off.z / box.spacing[2]});
}

// Axis i of the volume runs along axis order[i] of the patient, against it if flip[i].
struct Lie {
  std::array<size_t, 3> order;
  std::array<bool, 3> flip;
};

std::vector<Lie> all_lies() {
  std::vector<Lie> lies;
  std::array<size_t, 3> order{0, 1, 2};
  do {
    for (int signs = 0; signs < 8; ++signs)
      lies.push_back({order, {(signs & 1) != 0, (signs & 2) != 0, (signs & 4) != 0}});
  } while (std::next_permutation(order.begin(), order.end()));
  return lies;
}

std::string name_of(const Lie& lie) {
  std::string name;
  for (size_t i = 0; i < 3; ++i) name += std::string(lie.flip[i] ? "-" : "+") + "xyz"[lie.order[i]];
  return name;
}

Volume volume_of(const Box& box, const Lie& lie,
                 const std::function<double(const std::array<double, 3>&)>& value = code) {
  std::array<int, 3> extent;
  std::array<Vec3, 3> step;
  std::array<double, 3> first{};
  for (size_t i = 0; i < 3; ++i) {
    const size_t axis = lie.order[i];
    extent[i] = box.extent[axis];
    const double length = (lie.flip[i] ? -1 : 1) * box.spacing[axis];
    step[i] = {axis == 0 ? length : 0, axis == 1 ? length : 0, axis == 2 ? length : 0};
    first[axis] = lie.flip[i] ? extent[i] - 1 : 0;
  }
  Volume volume{{{extent[0], extent[1], box.at(first), step[0], step[1]}, extent[2], step[2]}, {}};
  for (int k = 0; k < extent[2]; ++k) {
    std::vector<int16_t>& slice = volume.slices.emplace_back();
    for (int y = 0; y < extent[1]; ++y) {
      for (int x = 0; x < extent[0]; ++x) {
        const int at[3] = {x, y, k};
        std::array<double, 3> index{};
        for (size_t i = 0; i < 3; ++i) index[lie.order[i]] = lie.flip[i] ? extent[i] - 1 - at[i] : at[i];
        slice.push_back(static_cast<int16_t>(value(index)));
      }
    }
  }
  return volume;
}

const Lie kPlain{{0, 1, 2}, {false, false, false}};

void expect_near(const Vec3& got, const Vec3& wanted, double tolerance = 1e-9) {
  EXPECT_LE(length(got - wanted), tolerance) << got.x << ", " << got.y << ", " << got.z;
}

// ------------------------------------------------------------------------------------------------- the orientation
// suite

TEST(Reformat, EveryLieOfTheVolumeGivesTheSameUprightPictures) {
  const Box box;
  const ReformatRules rules{.step_mm = 4};
  std::vector<HuSlice> first;
  for (const Lie& lie : all_lies()) {
    SCOPED_TRACE(name_of(lie));
    const Volume volume = volume_of(box, lie);
    const auto plan = plan_reformat(volume, rules);
    ASSERT_TRUE(plan.ok()) << plan.status().to_string();
    const std::vector<Plane>& planes = plan.value().planes;
    ASSERT_EQ(planes.size(), 4u);
    for (size_t i = 0; i < planes.size(); ++i) {
      const Plane& plane = planes[i];
      expect_near(plane.column_step, {0, 0.5, 0});
      expect_near(plane.row_step, {0, 0, -0.5});
      // The corner in front at the head.
      expect_near(plane.origin, {plane.origin.x, box.origin.y, box.origin.z + 25});
      EXPECT_EQ(plane.columns, 25);  // 8 * 1.5 mm
      EXPECT_EQ(plane.rows, 51);     // 10 * 2.5 mm
      EXPECT_NEAR(plane.origin.x - plan.value().midline_mm, plan.value().position_mm[i], 1e-9);
      if (i > 0) {
        EXPECT_NEAR(plane.origin.x - planes[i - 1].origin.x, 4, 1e-9);
      }

      const HuSlice picture = sample_plane(volume, plane);
      ASSERT_EQ(picture.hu.size(), 25u * 51u);
      int wrong = 0;
      for (int y = 0; y < plane.rows; ++y) {
        for (int x = 0; x < plane.columns; ++x) {
          wrong += picture.hu[static_cast<size_t>(y * plane.columns + x)] != std::rint(code_at(box, plane.at(x, y)));
        }
      }
      EXPECT_EQ(wrong, 0);
      if (first.size() <= i) {
        first.push_back(picture);
      } else {
        EXPECT_EQ(picture.hu, first[i].hu);
      }
    }
  }
}

// Marked corners, by hand: what is bright where in the picture.
TEST(Reformat, CornersOfAnAxialVolume) {
  const Box box;
  const Volume volume = volume_of(box, kPlain, [](const std::array<double, 3>& i) {
    return i[1] == 0 && i[2] == 10 ? 100 : i[1] == 8 && i[2] == 10 ? 110 : i[1] == 0 && i[2] == 0 ? 120 : -50;
  });
  const auto plan = plan_reformat(volume, {});
  ASSERT_TRUE(plan.ok());
  const HuSlice picture = sample_plane(volume, plan.value().planes[0]);
  EXPECT_EQ(picture.hu[0], 100);             // in front, at the head
  EXPECT_EQ(picture.hu[24], 110);            // at the back, at the head
  EXPECT_EQ(picture.hu[50 * 25], 120);       // in front, at the feet
  EXPECT_EQ(picture.hu[50 * 25 + 24], -50);  // at the back, at the feet
}

// A native sagittal picture, in all four flips and transposed.
TEST(Upright, EveryFlipAndTranspositionGivesTheSamePicture) {
  const Box box;
  const Volume volume = volume_of(box, kPlain);
  const auto plan = plan_reformat(volume, {.step_mm = 4});
  ASSERT_TRUE(plan.ok());
  const HuSlice wanted = sample_plane(volume, plan.value().planes[1]);
  const double x_index = (wanted.plane.origin.x - box.origin.x) / box.spacing[0];
  for (int kind = 0; kind < 8; ++kind) {
    SCOPED_TRACE(kind);
    const bool back = kind & 1, up = kind & 2, turned = kind & 4;  // columns towards the front; rows towards the head
    const Vec3 along_y{0, (back ? -1 : 1) * 1.5, 0}, along_z{0, 0, (up ? 1 : -1) * 2.5};
    const Vec3 origin = box.at({x_index, back ? 8.0 : 0.0, up ? 0.0 : 10.0});
    HuSlice native{turned ? Plane{11, 9, origin, along_z, along_y} : Plane{9, 11, origin, along_y, along_z}, {}};
    for (int y = 0; y < native.plane.rows; ++y) {
      for (int x = 0; x < native.plane.columns; ++x) {
        native.hu.push_back(static_cast<int16_t>(std::rint(code_at(box, native.plane.at(x, y)))));
      }
    }
    const auto picture = upright(native, 0.5);
    ASSERT_TRUE(picture.ok()) << picture.status().to_string();
    EXPECT_EQ(picture.value().hu, wanted.hu);
    EXPECT_EQ(picture.value().plane.columns, wanted.plane.columns);
    EXPECT_EQ(picture.value().plane.rows, wanted.plane.rows);
    expect_near(picture.value().plane.at(0, 0), wanted.plane.at(0, 0));
    expect_near(picture.value().plane.at(24, 50), wanted.plane.at(24, 50));

    EXPECT_EQ(upright(native, 0).status().id(), ErrorId::E_GEOM_MISSING) << "pixels are not square";
    (turned ? native.plane.row_step : native.plane.column_step) =
        5.0 / 3 * (turned ? native.plane.row_step : native.plane.column_step);
    for (const double mm : {0.0, 2.5}) {  // only turned: the same values, all of them
      const auto exact = upright(native, mm);
      ASSERT_TRUE(exact.ok());
      EXPECT_EQ(exact.value().plane.columns, 9);
      EXPECT_EQ(exact.value().plane.rows, 11);
      for (int y = 0; y < 11; ++y) {
        for (int x = 0; x < 9; ++x) {
          ASSERT_EQ(exact.value().hu[static_cast<size_t>(y * 9 + x)], std::rint(code({x_index, x * 1.0, 10.0 - y})));
        }
      }
    }
  }
}

TEST(Upright, WhatIsNoSagittalPictureIsRefused) {
  HuSlice axial{{2, 2, {}, {1, 0, 0}, {0, 1, 0}}, {1, 2, 3, 4}};
  EXPECT_EQ(upright(axial, 1).status().id(), ErrorId::E_GEOM_TILT);
  HuSlice flat{{2, 2, {}, {0, 1, 0}, {0, 2, 0}}, {1, 2, 3, 4}};
  EXPECT_EQ(upright(flat, 1).status().id(), ErrorId::E_GEOM_MISSING);
  HuSlice sagittal{{2, 2, {}, {0, 1, 0}, {0, 0, -1}}, {1, 2, 3, 4}};
  EXPECT_EQ(upright(sagittal, 1e-6).status().id(), ErrorId::E_IMAGE_SIZE);
  EXPECT_EQ(upright(sagittal, -1).status().id(), ErrorId::E_IMAGE_SIZE);
  EXPECT_EQ(upright(sagittal, std::nan("")).status().id(), ErrorId::E_IMAGE_SIZE);
}

// ---------------------------------------------------------------------------------------------------------- gantry
// tilt

// A field that is whole at every voxel of the stacks below and linear between them.
double field(const Vec3& p) {
  return 40 * p.x + 16 * p.y + 8 * p.z;
}

Volume stack_of_field(double lean_y, double lean_x = 0) {
  Volume volume{{{12, 20, {-6, 3, 11}, {1, 0, 0}, {0, 1, 0}}, 15, {lean_x, lean_y, 2}}, {}};
  for (int k = 0; k < 15; ++k) {
    std::vector<int16_t>& slice = volume.slices.emplace_back();
    for (int y = 0; y < 20; ++y) {
      for (int x = 0; x < 12; ++x) slice.push_back(static_cast<int16_t>(field(volume.grid.at(x, y, k))));
    }
  }
  return volume;
}

TEST(Reformat, AShearOfTheStackIsUndone) {
  for (const double lean : {0.0, 0.25, -0.5, 1.0}) {  // per 2 mm: 0, 7, 14 and 27 degrees
    SCOPED_TRACE(lean);
    const Volume volume = stack_of_field(lean);
    const auto plan = plan_reformat(volume, {.mm_per_pixel = 0.5, .step_mm = 2});
    ASSERT_TRUE(plan.ok()) << plan.status().to_string();
    int inside = 0;
    for (const Plane& plane : plan.value().planes) {
      EXPECT_NEAR(length(plane.column_step), 0.5, 1e-12);
      EXPECT_NEAR(length(plane.row_step), 0.5, 1e-12);
      EXPECT_NEAR(dot(plane.column_step, plane.row_step), 0, 1e-12);
      EXPECT_LT(plane.row_step.z, -0.4);
      EXPECT_GT(plane.column_step.y, 0.4);
      const HuSlice picture = sample_plane(volume, plane);
      for (int y = 0; y < plane.rows; ++y) {
        for (int x = 0; x < plane.columns; ++x) {
          const Vec3 p = plane.at(x, y);
          const double k = (p.z - 11) / 2, row = p.y - 3 - lean * k;
          const int16_t hu = picture.hu[static_cast<size_t>(y * plane.columns + x)];
          const double margin = std::min({k, 14 - k, row, 19 - row});
          if (margin > 1e-5) {
            ASSERT_NEAR(hu, field(p), 0.5 + 1e-3) << x << ", " << y;
            ++inside;
          } else if (margin < -1e-5) {
            ASSERT_EQ(hu, kAirHu) << x << ", " << y;
          }
        }
      }
    }
    EXPECT_GT(inside, 5000);
  }
}

TEST(Reformat, AStackThatLeansSidewaysIsRefused) {
  EXPECT_TRUE(plan_reformat(stack_of_field(0, 0.01), {}).ok());  // 0.3 degrees
  const auto plan = plan_reformat(stack_of_field(0, 0.05), {});  // 1.4 degrees
  EXPECT_EQ(plan.status().id(), ErrorId::E_GEOM_TILT);
  EXPECT_EQ(exit_code(plan.status().id()), 5);
}

TEST(SamplePlane, AnyPlaneOfALinearField) {
  const Volume volume = stack_of_field(0.25);
  const Plane plane{30, 20, {-4, 6, 14}, {0.21, 0.17, 0.1}, {-0.05, 0.3, 0.4}};
  const HuSlice picture = sample_plane(volume, plane);
  int inside = 0;
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 30; ++x) {
      const int16_t hu = picture.hu[static_cast<size_t>(y * 30 + x)];
      if (hu == kAirHu) continue;
      ASSERT_NEAR(hu, field(plane.at(x, y)), 0.5 + 1e-3);
      ++inside;
    }
  }
  EXPECT_GT(inside, 400);
  // Far away, and in a volume without extent, there is nothing.
  Plane away = plane;
  away.origin = {1e6, 0, 0};
  for (const int16_t hu : sample_plane(volume, away).hu) ASSERT_EQ(hu, kAirHu);
  Volume flat = volume;
  flat.grid.slice_step = {};
  for (const int16_t hu : sample_plane(flat, plane).hu) ASSERT_EQ(hu, kAirHu);
}

TEST(SamplePlanes, AreThoseOfEachPlaneAlone) {
  const Box box;
  for (const Lie& lie : all_lies()) {
    SCOPED_TRACE(name_of(lie));
    Volume volume = volume_of(box, lie);
    volume.slices[2].clear();
    const auto plan = plan_reformat(volume, {.step_mm = 2, .half_width_mm = 100});
    ASSERT_TRUE(plan.ok());
    std::vector<Plane> planes = plan.value().planes;
    ASSERT_GE(planes.size(), 4u);
    Plane away = planes[1], aslant = planes[2];
    away.origin.x += 1e5;
    aslant.column_step.x += 0.1;
    planes.insert(planes.begin() + 1, {away, aslant});
    const std::vector<HuSlice> together = sample_planes(volume, planes);
    ASSERT_EQ(together.size(), planes.size());
    for (size_t i = 0; i < planes.size(); ++i) EXPECT_EQ(together[i].hu, sample_plane(volume, planes[i]).hu) << i;
  }
}

// BI-07b: what a missing slice would have given is air; everything else is as if it were there.
TEST(SamplePlane, NothingIsInterpolatedFromAMissingSlice) {
  const Box box;
  for (const Lie& lie : all_lies()) {
    SCOPED_TRACE(name_of(lie));
    const Volume whole = volume_of(box, lie);
    Volume gap = whole;
    gap.slices[4].clear();
    const auto plan = plan_reformat(whole, {.step_mm = 2, .half_width_mm = 100});
    ASSERT_TRUE(plan.ok());
    int air = 0;
    for (const Plane& plane : plan.value().planes) {
      const HuSlice with = sample_plane(whole, plane), without = sample_plane(gap, plane);
      for (int y = 0; y < plane.rows; ++y) {
        for (int x = 0; x < plane.columns; ++x) {
          const Vec3 off = plane.at(x, y) - whole.grid.plane.origin;
          const double k = dot(off, whole.grid.slice_step) / dot(whole.grid.slice_step, whole.grid.slice_step);
          const auto i = static_cast<size_t>(y * plane.columns + x);
          const bool touched = k > 3 + 1e-5 && k < 5 - 1e-5;
          ASSERT_EQ(without.hu[i], touched ? kAirHu : with.hu[i]) << k;
          air += touched;
        }
      }
    }
    EXPECT_GT(air, 0);
  }
}

// ------------------------------------------------------------------------------------------------------------- the
// plan

// A volume of air of 40 x 10 x 10 voxels of 1.25 mm with bone where the test says, by columns.
Volume with_bone(const std::vector<int>& columns, int16_t hu = 300) {
  Box box{{40, 10, 10}, {1.25, 2, 2}, {-20, 0, 0}};
  return volume_of(box, kPlain, [&](const std::array<double, 3>& i) -> double {
    return std::find(columns.begin(), columns.end(), static_cast<int>(i[0])) != columns.end() ? hu : -1000;
  });
}

TEST(BoneMidline, HalvesTheBone) {
  EXPECT_NEAR(bone_midline(with_bone({10})), -20 + 10 * 1.25, 1e-12);
  EXPECT_NEAR(bone_midline(with_bone({10, 11, 12, 13})), -20 + 11.5 * 1.25, 1e-12);
  EXPECT_NEAR(bone_midline(with_bone({4, 10, 30})), -20 + 10 * 1.25, 1e-12);
  EXPECT_NEAR(bone_midline(with_bone({4, 30})), -20 + 17 * 1.25, 1e-12);  // the middle of what lies between
  EXPECT_NEAR(bone_midline(with_bone({})), -20 + 19.5 * 1.25, 1e-12);
  for (const int16_t no_bone : std::vector<int16_t>{199, 2001, 3071}) {
    EXPECT_NEAR(bone_midline(with_bone({4}, no_bone)), -20 + 19.5 * 1.25, 1e-12) << no_bone;
  }
  for (const int16_t bone : std::vector<int16_t>{200, 2000}) {
    EXPECT_NEAR(bone_midline(with_bone({4}, bone)), -20 + 4 * 1.25, 1e-12) << bone;
  }
}

TEST(BoneMidline, IsTheSameForEveryLie) {
  const Box box;
  const auto value = [](const std::array<double, 3>& i) { return i[0] * i[1] + i[2] > 20 ? 400 : -900; };
  const double midline = bone_midline(volume_of(box, kPlain, value));
  EXPECT_GT(midline, box.origin.x + 6);
  for (const Lie& lie : all_lies())
    EXPECT_NEAR(bone_midline(volume_of(box, lie, value)), midline, 1e-9) << name_of(lie);
}

TEST(Plan, PlanesLieOnVoxelsAboutTheMidline) {
  const auto plan = plan_reformat(with_bone({18}), {.mm_per_pixel = 1, .step_mm = 3, .half_width_mm = 10});
  ASSERT_TRUE(plan.ok()) << plan.status().to_string();
  EXPECT_NEAR(plan.value().midline_mm, -20 + 18 * 1.25, 1e-12);
  EXPECT_NEAR(plan.value().step_mm, 2.5, 1e-12);  // two voxels are nearer to 3 mm than three
  EXPECT_EQ(plan.value().position_mm, (std::vector<double>{-10, -7.5, -5, -2.5, 0, 2.5, 5, 7.5, 10}));
  for (const Plane& plane : plan.value().planes) {
    const double index = (plane.origin.x + 20) / 1.25;
    EXPECT_NEAR(index, std::round(index), 1e-9);
  }
  // At least one voxel, at least one plane; the edge of the volume ends the planes.
  EXPECT_NEAR(plan_reformat(with_bone({18}), {.step_mm = 0.1}).value().step_mm, 1.25, 1e-12);
  EXPECT_EQ(plan_reformat(with_bone({18}), {.half_width_mm = 0}).value().planes.size(), 1u);
  EXPECT_EQ(plan_reformat(with_bone({18}), {.step_mm = 1e9}).value().planes.size(), 1u);
  const auto edge = plan_reformat(with_bone({0}), {.step_mm = 1.25, .half_width_mm = 3});
  EXPECT_EQ(edge.value().position_mm, (std::vector<double>{0, 1.25, 2.5}));
}

TEST(Plan, SizeComesFromTheOutermostCentres) {
  const auto plan = plan_reformat(with_bone({18}), {.mm_per_pixel = 0.7});
  EXPECT_EQ(plan.value().planes[0].columns, 26);                                                   // 18 mm: 25.7 steps
  EXPECT_EQ(plan_reformat(with_bone({18}), {.mm_per_pixel = 0.6}).value().planes[0].columns, 31);  // 30 steps exactly
}

TEST(Plan, WhatCannotBeReformattedIsRefused) {
  const auto with = [](auto change) {
    Volume volume = with_bone({18});
    change(volume);
    return plan_reformat(volume, {}).status();
  };
  const Status coarse = with([](Volume& v) { v.grid.slice_step.z = 3.01; });
  EXPECT_EQ(coarse.id(), ErrorId::E_GEOM_COARSE);
  EXPECT_EQ(exit_code(coarse.id()), 5);
  EXPECT_NE(coarse.message().find("3.01"), std::string::npos) << coarse.message();
  EXPECT_TRUE(with([](Volume& v) { v.grid.slice_step.z = 3.0005; }).ok());
  EXPECT_EQ(with([](Volume& v) { v.grid.plane.row_step.y = 4; }).id(), ErrorId::E_GEOM_COARSE);
  EXPECT_TRUE(with([](Volume& v) { v.grid.plane.column_step.x = 4; }).ok()) << "across the planes it may be coarse";
  EXPECT_EQ(with([](Volume& v) { v.grid.slices = 1, v.grid.slice_step = {}; }).id(), ErrorId::E_GEOM_COARSE);
  EXPECT_EQ(with([](Volume& v) { v.grid.slice_step = {0, 2.5, 0.5}; }).id(), ErrorId::E_GEOM_TILT);
  const Volume volume = with_bone({18});
  EXPECT_EQ(plan_reformat(volume, {.mm_per_pixel = 0.002}).status().id(), ErrorId::E_IMAGE_SIZE);
  for (const double bad : {0.0, -1.0, std::nan("")}) {
    EXPECT_EQ(plan_reformat(volume, {.mm_per_pixel = bad}).status().id(), ErrorId::E_USAGE);
    EXPECT_EQ(plan_reformat(volume, {.step_mm = bad}).status().id(), ErrorId::E_USAGE);
    EXPECT_EQ(plan_reformat(volume, {.max_slice_mm = bad}).status().id(), ErrorId::E_USAGE);
  }
}

}  // namespace
}  // namespace spinert
