#!/usr/bin/env python3
"""Reads the DICOM results of a folder with pydicom and highdicom and compares them with report.json and the previews.

    python3 tests/golden/dicom_output.py OUT

Needs pydicom, highdicom, Pillow and numpy; by hand, not part of script/test.
"""
import json
import sys
from pathlib import Path

import highdicom
import numpy
import pydicom
from PIL import Image


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


def check_pictures(folder, report):
    files = sorted(folder.glob("dicom-picture-*.dcm"))
    assert len(files) == len(report["slices"]), "a picture for each slice"
    for path in files:
        picture = pydicom.dcmread(path)
        preview = folder / path.name.replace("dicom-picture-", "preview-").replace(".dcm", ".png")
        below = numpy.asarray(Image.open(preview).convert("RGB"))
        assert numpy.array_equal(picture.pixel_array[-len(below):], below), path
        assert picture.BurnedInAnnotation == "YES"
    return files


def numbers(group, code):
    return [float(item.MeasuredValueSequence[0].NumericValue) for item in group.ContentSequence
            if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeValue == code]


def check_report(folder, report):
    document = highdicom.sr.srread(folder / "dicom-report.dcm")
    assert document.VerificationFlag == "UNVERIFIED"
    assert document.CompletionFlag == ("COMPLETE" if report["status"] == "completed" else "PARTIAL")
    groups = document.content.get_planar_roi_measurement_groups()
    assert len(groups) == len(report["tracks"]), "a planar region for each track"
    slices = {one["source"]: one for one in report["slices"]}
    for group, track in zip(groups, report["tracks"]):
        member = track["slices"][len(track["slices"]) // 2]
        patient = slices[member["source"]]["vertebrae"][member["vertebra"] - 1]["patient"]
        points = group.roi.value
        assert numpy.allclose(points[0], patient["from_mm"], atol=1e-3)
        assert numpy.allclose(points[2], patient["to_mm"], atol=1e-3)
        assert group.roi.frame_of_reference_uid == report["input"]["frame_of_reference_uid"]
        content = group[0]
        for name, probability in track["probabilities"].items():
            assert numpy.float32(numbers(content, "P-" + name)[0]) == numpy.float32(probability), name
        if "measures" in track:
            for code, key in (("HEIGHT-ANTERIOR", "anterior_mm"), ("HEIGHT-MIDDLE", "middle_mm"),
                              ("HEIGHT-POSTERIOR", "posterior_mm"), ("112031", "mean_hu")):
                assert numpy.isclose(numbers(content, code)[0], track["measures"][key], rtol=1e-8), code
    return len(groups)


def main():
    folder = Path(sys.argv[1])
    report = report_of(folder)
    pictures = check_pictures(folder, report)
    groups = check_report(folder, report)
    print(f"{folder}: {len(pictures)} pictures with their previews, {groups} regions equal to report.json")


if __name__ == "__main__":
    main()
