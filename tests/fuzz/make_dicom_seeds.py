"""Writes the seeds of the fuzz target dicom into tests/fuzz/seeds/dicom: a slice of 32 x 32 pixels in each kind of
transfer syntax. Needs pydicom, numpy and pylibjpeg-openjpeg; JPEG and JPEG-LS by dcmcjpeg and dcmcjpls of the Debian
package dcmtk, where they are.

    python3 tests/fuzz/make_dicom_seeds.py
"""
import shutil
import subprocess
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian,
                         ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless)

SEEDS = Path(__file__).with_name("seeds") / "dicom"


def slice_of() -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "2.25.1"
    dataset.SOPClassUID, dataset.Modality = CTImageStorage, "CT"
    dataset.SeriesInstanceUID, dataset.ImageType = "2.25.3", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [1, 2, 3], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.RescaleSlope, dataset.RescaleIntercept = [0.5, 0.5], 1, -1024
    dataset.Rows = dataset.Columns = 32
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = (np.arange(1024, dtype="<u2") * 4).tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def main() -> None:
    SEEDS.mkdir(parents=True, exist_ok=True)
    plain = SEEDS / "explicit"
    slice_of().save_as(plain, enforce_file_format=True)
    for name, syntax in (("implicit", ImplicitVRLittleEndian), ("deflated", DeflatedExplicitVRLittleEndian)):
        dataset = slice_of()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(SEEDS / name, enforce_file_format=True)
    big = slice_of()
    big.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    big.PixelData = (np.arange(1024, dtype=">u2") * 4).tobytes()
    big.save_as(SEEDS / "big_endian", enforce_file_format=True, implicit_vr=False, little_endian=False)
    for name, syntax in (("rle", RLELossless), ("jpeg2000", JPEG2000Lossless)):
        dataset = slice_of()
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(SEEDS / name, enforce_file_format=True)
    for name, tool, option in (("jpeg_lossless", "dcmcjpeg", "+e1"), ("jpeg_extended", "dcmcjpeg", "+ee"),
                               ("jpeg_ls", "dcmcjpls", "+el")):
        if shutil.which(tool):
            subprocess.run([tool, option, "+un", plain, SEEDS / name], check=True)


if __name__ == "__main__":
    main()
