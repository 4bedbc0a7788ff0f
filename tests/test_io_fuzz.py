"""Whatever bytes a file holds, reading it ends in an image or in a one-sentence refusal."""

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from spinehub.errors import SpineHubError
from spinehub.io import describe_source, read_mask, read_series

ENDINGS = ("nii", "nii2.nii", "nii.gz", "nrrd", "mha")


def _sound_files() -> dict[str, bytes]:
    frames = np.arange(48, dtype=np.int16).reshape(4, 3, 2, 2)
    image = sitk.GetImageFromArray(frames.transpose(2, 1, 0, 3), isVector=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nib.save(nib.Nifti1Image(frames, np.diag([1.0, 2.0, 3.0, 1.0])), folder / "x.nii")
        nib.save(nib.Nifti2Image(frames, np.diag([1.0, 2.0, 3.0, 1.0])), folder / "x.nii2.nii")
        for ending in ("nrrd", "mha"):
            sitk.WriteImage(image, str(folder / f"x.{ending}"), False)
        files = {ending: (folder / f"x.{ending}").read_bytes() for ending in ENDINGS if ending != "nii.gz"}
    return files | {"nii.gz": gzip.compress(files["nii"])}


SOUND = _sound_files()
EDITS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=6)), max_size=4)


def refusal_of(read: Callable[[Path], object], path: Path) -> str:
    try:
        read(path)
    except SpineHubError as refusal:
        return str(refusal)
    return ""


@settings(max_examples=400, deadline=None)
@given(ending=st.sampled_from(ENDINGS), edits=EDITS, kept=st.floats(0.05, 1), appended=st.binary(max_size=8))
def test_spoilt_bytes_are_read_or_refused(
    ending: str, edits: list[tuple[float, bytes]], kept: float, appended: bytes
) -> None:
    content = bytearray(SOUND[ending])
    for place, patch in edits:
        start = int(place * min(len(content), 600))
        content[start : start + len(patch)] = patch
    if kept < 0.5:
        del content[int(2 * kept * len(content)) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x.{ending}"
        path.write_bytes(bytes(content) + appended)
        for read in (read_series, read_mask, describe_source):
            answer = refusal_of(read, path)
            assert "\n" not in answer
            assert folder not in answer
