"""The IBSI-1 digital phantom: consensus values (Zwanenburg et al. 2020, doi 10.1148/radiol.2020191145).

Texture in the setting spinehub uses: neighbours within slices, matrices summed over slices, features averaged over
directions ("2.5D, averaged"). Everything that has an IBSI value is compared; what deviates stands in ``DEVIATES``.
"""

import csv
import dataclasses
import math

import numpy as np
import pytest

from spinehub.features import extraction
from spinehub.features.lattice import Lattice
from spinehub.features.settings import settings
from spinehub.volume import Grid, Mask

DEVIATES = {
    # pyradiomics' kurtosis of a normal distribution is 3, IBSI's is 0.
    "firstorder": {"Kurtosis": ("stat_kurt", lambda value, n: value - 3)},
    # pyradiomics divides the covariance of the voxel positions by n, IBSI by n - 1. Ratios of axes are unaffected.
    "shape": {
        "MajorAxisLength": ("morph_pca_maj_axis", lambda value, n: value * math.sqrt(n / (n - 1))),
        "MinorAxisLength": ("morph_pca_min_axis", lambda value, n: value * math.sqrt(n / (n - 1))),
        "LeastAxisLength": ("morph_pca_least_axis", lambda value, n: value * math.sqrt(n / (n - 1))),
    },
}
"""Features defined otherwise than by IBSI, and what turns one into the other for n voxels."""
NOT_IN_IBSI = {
    "shape": {"Maximum2DDiameterSlice", "Maximum2DDiameterColumn", "Maximum2DDiameterRow"},
    "firstorder": {"TotalEnergy"},
    "glcm": {"MCC"},
}
TAGS = {
    "shape": {
        "MeshVolume": "morph_volume", "VoxelVolume": "morph_vol_approx", "SurfaceArea": "morph_area_mesh",
        "SurfaceVolumeRatio": "morph_av", "Sphericity": "morph_sphericity", "Maximum3DDiameter": "morph_diam",
        "Elongation": "morph_pca_elongation",
        "Flatness": "morph_pca_flatness",
    },
    "firstorder": {
        "Mean": "stat_mean", "Median": "stat_median", "Minimum": "stat_min", "Maximum": "stat_max",
        "10Percentile": "stat_p10", "90Percentile": "stat_p90", "Range": "stat_range",
        "InterquartileRange": "stat_iqr", "Variance": "stat_var", "Skewness": "stat_skew",
        "MeanAbsoluteDeviation": "stat_mad", "RobustMeanAbsoluteDeviation": "stat_rmad",
        "RootMeanSquared": "stat_rms", "Energy": "stat_energy", "Entropy": "ih_entropy",
        "Uniformity": "ih_uniformity",
    },
    "glcm": {
        "Autocorrelation": "cm_auto_corr", "ClusterProminence": "cm_clust_prom", "ClusterShade": "cm_clust_shade",
        "ClusterTendency": "cm_clust_tend", "Contrast": "cm_contrast", "Correlation": "cm_corr",
        "DifferenceAverage": "cm_diff_avg", "DifferenceEntropy": "cm_diff_entr", "DifferenceVariance": "cm_diff_var",
        "Id": "cm_inv_diff", "Idm": "cm_inv_diff_mom", "Idmn": "cm_inv_diff_mom_norm", "Idn": "cm_inv_diff_norm",
        "Imc1": "cm_info_corr1", "Imc2": "cm_info_corr2", "InverseVariance": "cm_inv_var",
        "JointAverage": "cm_joint_avg", "JointEnergy": "cm_energy", "JointEntropy": "cm_joint_entr",
        "MaximumProbability": "cm_joint_max", "SumAverage": "cm_sum_avg", "SumEntropy": "cm_sum_entr",
        "SumSquares": "cm_joint_var",
    },
    "glrlm": {
        "GrayLevelNonUniformity": "rlm_glnu", "GrayLevelNonUniformityNormalized": "rlm_glnu_norm",
        "GrayLevelVariance": "rlm_gl_var", "HighGrayLevelRunEmphasis": "rlm_hgre", "LongRunEmphasis": "rlm_lre",
        "LongRunHighGrayLevelEmphasis": "rlm_lrhge", "LongRunLowGrayLevelEmphasis": "rlm_lrlge",
        "LowGrayLevelRunEmphasis": "rlm_lgre", "RunEntropy": "rlm_rl_entr", "RunLengthNonUniformity": "rlm_rlnu",
        "RunLengthNonUniformityNormalized": "rlm_rlnu_norm", "RunPercentage": "rlm_r_perc",
        "RunVariance": "rlm_rl_var", "ShortRunEmphasis": "rlm_sre", "ShortRunHighGrayLevelEmphasis": "rlm_srhge",
        "ShortRunLowGrayLevelEmphasis": "rlm_srlge",
    },
    "glszm": {
        "GrayLevelNonUniformity": "szm_glnu", "GrayLevelNonUniformityNormalized": "szm_glnu_norm",
        "GrayLevelVariance": "szm_gl_var", "HighGrayLevelZoneEmphasis": "szm_hgze", "LargeAreaEmphasis": "szm_lze",
        "LargeAreaHighGrayLevelEmphasis": "szm_lzhge", "LargeAreaLowGrayLevelEmphasis": "szm_lzlge",
        "LowGrayLevelZoneEmphasis": "szm_lgze", "SizeZoneNonUniformity": "szm_zsnu",
        "SizeZoneNonUniformityNormalized": "szm_zsnu_norm", "SmallAreaEmphasis": "szm_sze",
        "SmallAreaHighGrayLevelEmphasis": "szm_szhge", "SmallAreaLowGrayLevelEmphasis": "szm_szlge",
        "ZoneEntropy": "szm_zs_entr", "ZonePercentage": "szm_z_perc", "ZoneVariance": "szm_zs_var",
    },
    "gldm": {
        "DependenceEntropy": "ngl_dc_entr", "DependenceNonUniformity": "ngl_dcnu",
        "DependenceNonUniformityNormalized": "ngl_dcnu_norm", "DependenceVariance": "ngl_dc_var",
        "GrayLevelNonUniformity": "ngl_glnu", "GrayLevelVariance": "ngl_gl_var", "HighGrayLevelEmphasis": "ngl_hgce",
        "LargeDependenceEmphasis": "ngl_hde", "LargeDependenceHighGrayLevelEmphasis": "ngl_hdhge",
        "LargeDependenceLowGrayLevelEmphasis": "ngl_hdlge", "LowGrayLevelEmphasis": "ngl_lgce",
        "SmallDependenceEmphasis": "ngl_lde", "SmallDependenceHighGrayLevelEmphasis": "ngl_ldhge",
        "SmallDependenceLowGrayLevelEmphasis": "ngl_ldlge",
    },
    "ngtdm": {
        "Busyness": "ngt_busyness", "Coarseness": "ngt_coarseness", "Complexity": "ngt_complexity",
        "Contrast": "ngt_contrast", "Strength": "ngt_strength",
    },
}  # fmt: skip
SUFFIX = {"shape": "", "firstorder": "", "glcm": "_2_5D_avg", "glrlm": "_2_5D_avg"}


@pytest.fixture(scope="module")
def phantom(shared_data):
    import nibabel as nib

    folder = shared_data / "c_radiomics"
    image, mask = (nib.load(folder / f"ibsi_digital_phantom{name}.nii.gz") for name in ("", "_mask"))
    grid = Grid(image.shape, image.affine)
    with (folder / "ibsi_digital_reference.csv").open() as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    reference = {r["tag"]: (float(r["reference value"]), float(r["tolerance"])) for r in rows if r["reference value"]}
    return image.get_fdata(), Mask(np.asarray(mask.dataobj) > 0, grid), reference


def computed(phantom, group):
    values, mask, _ = phantom
    lattice = Lattice.around(mask, 2.0)  # the phantom's own spacing: nothing is interpolated
    lattice = dataclasses.replace(lattice, slice_axis=2)  # its slices lie along the last axis
    inside = lattice.resample_mask(mask)
    resampled, _ = lattice.resample(values)
    assert np.count_nonzero(inside) == 74
    return extraction._compute(group, extraction._pair(resampled, inside, lattice), lattice, 1.0)


def agrees(value, expected, tolerance):
    """Within IBSI's tolerance, or equal to the three digits the reference is printed with."""
    printed = 0.5 * 10.0 ** (math.floor(math.log10(abs(expected))) - 2) if expected else 0.0
    return abs(value - expected) <= max(tolerance, printed * 1.0001)


@pytest.mark.parametrize("group", list(TAGS))
def test_phantom_values(phantom, group):
    found = computed(phantom, group)
    suffix = SUFFIX.get(group, "_2_5D")
    wrong = {
        feature: (found[feature], phantom[2][tag + suffix][0])
        for feature, tag in TAGS[group].items()
        if not agrees(found[feature], *phantom[2][tag + suffix])
    }
    assert wrong == {}


def test_every_column_is_compared_or_named_as_deviating():
    for group, features in settings()["features"].items():
        assert set(features) == set(TAGS[group]) | set(DEVIATES.get(group, ())) | NOT_IN_IBSI.get(group, set())


@pytest.mark.parametrize("group", list(DEVIATES))
def test_deviations_are_what_the_table_says(phantom, group):
    found = computed(phantom, group)
    for feature, (tag, to_ibsi) in DEVIATES[group].items():
        assert agrees(to_ibsi(found[feature], 74), *phantom[2][tag])
