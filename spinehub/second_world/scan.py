"""Geometry of the slab: voxels to the spine frame, and the spine frame to the scanner."""

import numpy as np
from numpy.typing import NDArray

from spinehub.second_world.recipe import ScanRecipe
from spinehub.volume import Grid

__all__ = ["scan_grid", "slab_affine"]


def slab_affine(scan: ScanRecipe) -> NDArray[np.float64]:
    """``(4, 4)`` voxel index to the spine frame: array axes run to the front, the head and the right."""
    axes = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    affine = np.eye(4)
    affine[:3, :3] = _turned(scan.tilt_deg) @ axes @ np.diag(scan.spacing_mm)
    affine[:3, 3] = np.array(scan.centre_mm) - affine[:3, :3] @ ((np.array(scan.matrix) - 1.0) / 2.0)
    return affine


def scan_grid(scan: ScanRecipe) -> Grid:
    """Grid of the series in the scanner's RAS+ frame."""
    affine = slab_affine(scan)
    affine[:3, 3] += scan.position_mm
    return Grid(scan.matrix, affine)


def _turned(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    """Rotation by a vector of angles about x, y, z at once (Rodrigues' formula)."""
    vector = np.deg2rad(np.array(degrees, dtype=np.float64))
    angle = float(np.linalg.norm(vector))
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross)
