"""Measure the noise of two real scans: ``python benchmarks/second_world_noise.py FOLDER``.

FOLDER holds ``a_spine`` and ``b_dce`` as described in :mod:`spinehub.second_world.noise`. The output is what
``spinehub.second_world.noise.MEASURED`` lists.
"""

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from spinehub.io import read_series
from spinehub.second_world import measure_noise
from spinehub.volume import Grid, Volume


def breast(folder: Path) -> Volume:
    """Pre-contrast phase of UCSF-BR-06 from its sagittal DICOM slices."""
    stack = [sitk.ReadImage(str(file)) for file in sorted(folder.glob("*.dcm"))]
    voxels = np.stack([sitk.GetArrayFromImage(image)[0].T for image in stack], axis=2)
    spacing = (*stack[0].GetSpacing()[:2], 2.0)
    return Volume(voxels.astype(np.float32), Grid(voxels.shape, np.diag([*spacing, 1.0])))


def main() -> None:
    """Print the statistics of each scan."""
    parser = argparse.ArgumentParser(description="Measure the noise of two real scans.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    scans = {
        "gre_neck": read_series(folder / "a_spine" / "cervical_MT1_axial.nii.gz"),
        "fgre_breast": breast(folder / "b_dce" / "breast_UCSF06" / "t0"),
    }
    for name, scan in scans.items():
        assert isinstance(scan, Volume)
        print(measure_noise(scan, name))


if __name__ == "__main__":
    main()
